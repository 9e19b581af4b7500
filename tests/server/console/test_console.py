"""The pages behind the RPCs, and what they leave alone."""

from __future__ import annotations

import json

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from support import schema
from support.asgi import Request, http_scope
from support.handlers import HANDLERS
from support.programs import modules_after

from dynconnect.live.news import Refused
from dynconnect.schema.finding import Finding
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source
from dynconnect.server.asgi import Server
from dynconnect.server.console.console import NEAR, PATHS, Console


@pytest.fixture
def app():
    server = Server(schema.generation(HANDLERS))
    return server.wrap(Console(server.statuses, server.not_found))


async def get(app, path, method="GET", **scope):
    request = Request(app, http_scope(path, method=method, http_version="1.1", **scope))
    answer = await request.end().run()
    return answer.status, answer.body


async def test_the_server_is_alive_and_ready(app):
    assert await get(app, "/healthz") == (200, b"ok\n")
    assert await get(app, "/readyz") == (200, b"SERVING\n")


async def test_h5_a_server_that_stops_is_alive_and_not_ready(app):
    app.stop(60)
    assert await get(app, "/healthz") == (200, b"ok\n")
    assert await get(app, "/readyz") == (503, b"NOT_SERVING\n")


@pytest.mark.parametrize("path", sorted(PATHS))
async def test_its_pages_are_for_reading(app, path):
    assert (await get(app, path, "POST"))[0] == 405


@pytest.mark.parametrize("path", ["/", "/healthz/", "/readyz/x", "/test.v1.Notes"])
async def test_other_paths_are_answered_as_without_it(app, path):
    alone = Server(schema.generation(HANDLERS))
    assert await get(app, path) == await get(alone, path)
    assert (await get(app, path))[0] == 404


async def test_a_websocket_is_closed(app):
    sent = []

    async def send(message):
        sent.append(message)

    await app({"type": "websocket", "path": "/healthz"}, None, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]


async def test_its_lifespan_is_that_of_the_server(app):
    messages, sent = [{"type": f"lifespan.{name}"} for name in ("startup", "shutdown")], []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.fixture
def shown():
    server = Server(schema.generation({"Echo": HANDLERS["Echo"]}, number=3))
    return server.wrap(Console(server.statuses, server.not_found, server))


LOCAL = {"client": ("127.0.0.1", 50123), "headers": {"host": "localhost:8080"}}


async def test_its_state_is_shown_to_this_machine(shown):
    shown.news = Refused(3, (Finding("plugins/a.py:3", "no RPC", "did you mean Echo?"),))
    status, body = await get(shown, "/-/state", **LOCAL)
    found = json.loads(body)
    assert (status, found["generation"], found["hash"]) == (200, 3, "hash 3")
    assert found["services"]["test.v1.Notes"]["Echo"] == {
        "path": "/test.v1.Notes/Echo",
        "clientStreaming": False,
        "serverStreaming": False,
        "boundBy": "test.py:1 Echo",
        "mock": False,
    }
    assert found["services"]["test.v1.Notes"]["Chat"]["boundBy"] is None
    finding = {"where": "plugins/a.py:3", "what": "no RPC", "hint": "did you mean Echo?"}
    assert found["reload"] == {"kind": "refused", "serving": 3, "findings": [finding]}


async def test_it_follows_a_swap(shown):
    shown.generations.swap(schema.generation({}, number=4))
    assert json.loads((await get(shown, "/-/state", **LOCAL))[1])["generation"] == 4


async def test_its_schema_is_the_set_that_is_live(shown):
    status, body = await get(shown, "/-/schema.binpb", **LOCAL)
    assert status == 200
    assert Schema(
        [Source("live", tuple(file.SerializeToString() for file in FileDescriptorSet.FromString(body).file))]
    )


NEAR_HOSTS = ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "127.8.9.1"]
FAR = [
    pytest.param("192.0.2.7", "localhost:8080", id="another machine"),
    pytest.param("127.0.0.1", "evil.example:8080", id="a name that leads here"),
    pytest.param("127.0.0.1", "", id="no host"),
]


@pytest.mark.parametrize("host", NEAR_HOSTS)
async def test_every_name_of_this_machine_will_do(shown, host):
    assert (await get(shown, "/-/state", client=("::1", 1), headers={"host": host}))[0] == 200


@pytest.mark.parametrize("path", sorted(NEAR))
@pytest.mark.parametrize(("client", "host"), FAR)
async def test_nobody_else_sees_it(shown, app, path, client, host):
    scope = {"client": (client, 50123), "headers": {"host": host}}
    assert (await get(shown, path, **scope))[0] == 404
    assert (await get(app, path, **LOCAL))[0] == 404, "and without being asked for nobody does"


def test_nothing_of_quart_is_imported_before_someone_asks():
    assert "quart" not in modules_after("import dynconnect.server.service")
