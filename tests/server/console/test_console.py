"""The pages behind the RPCs, and what they leave alone."""

from __future__ import annotations

import json

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from support import schema
from support.asgi import Request, http_scope
from support.handlers import HANDLERS
from support.programs import modules_after

from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source
from dynconnect.server.asgi import Server
from dynconnect.server.console.console import PATHS, Console
from dynconnect.server.console.pages import BODY_MAX
from dynconnect.server.console.state import Shown
from dynconnect.server.feed import WATCHERS_MAX, Feed


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


@pytest.mark.parametrize("path", ["/", "/-/state", "/healthz/", "/readyz/x", "/test.v1.Notes"])
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
def server():
    return Server(schema.generation({"Echo": HANDLERS["Echo"]}, number=3), feed=Feed())


@pytest.fixture
def shown(server):
    return server.wrap(Console(server.statuses, server.not_found, Shown(server, server.feed)))


LOCAL = {"client": ("127.0.0.1", 50123), "headers": {"host": "localhost:8080"}}


async def test_its_schema_is_the_set_that_is_live(shown):
    status, body = await get(shown, "/-/schema.binpb", **LOCAL)
    assert status == 200
    assert Schema(
        [Source("live", tuple(file.SerializeToString() for file in FileDescriptorSet.FromString(body).file))]
    )


@pytest.mark.parametrize("path", ["/", "/-/explorer/main.js", "/-/explorer/style.css"])
async def test_the_explorer_is_made_of_files_of_the_package_that_run_nothing_else(shown, path):
    request = Request(shown, http_scope(path, method="GET", http_version="1.1", **LOCAL))
    answer = await request.end().run()
    assert answer.status == 200
    headers = dict(answer.headers)
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-cache"


async def test_a_file_of_the_explorer_is_sent_once(shown):
    scope = http_scope("/-/explorer/main.js", method="GET", http_version="1.1", **LOCAL)
    first = await Request(shown, scope).end().run()
    tag = (b"if-none-match", dict(first.headers)["etag"].encode())
    again = await Request(shown, {**scope, "headers": [*scope["headers"], tag]}).end().run()
    assert (first.status, again.status, again.body) == (200, 304, b"")


@pytest.mark.parametrize("name", ["other.js", "../pages.py", "..%2fpages.py", "__init__.py"])
async def test_it_has_no_other_files(shown, name):
    assert (await get(shown, f"/-/explorer/{name}", **LOCAL))[0] == 404


async def test_a_symbol_is_described_or_the_nearest_name_told(shown):
    status, body = await get(shown, "/-/symbols/test.v1.Note", **LOCAL)
    assert (status, json.loads(body)["name"]) == (200, "test.v1.Note")
    assert await get(shown, "/-/symbols/test.v1.Nota", **LOCAL) == (
        404,
        b"there is no test.v1.Nota; did you mean test.v1.Note?\n",
    )


async def test_an_example_can_be_sent_as_it_is(shown):
    status, example = await get(shown, "/-/example/test.v1.Notes/Echo", **LOCAL)
    assert status == 200
    assert set(json.loads(example)) == {"text", "number", "data"}
    assert await get(shown, "/-/example/test.v1.Notes/Ecco", **LOCAL) == (
        404,
        b"there is no method test.v1.Notes/Ecco\n",
    )


async def checked(app, method, data):
    request = Request(app, http_scope(f"/-/check/test.v1.Notes/{method}", http_version="1.1", **LOCAL))
    answer = await request.end(data).run()
    return answer.status, answer.body


async def test_a_request_is_checked_before_it_is_sent(shown):
    assert await checked(shown, "Echo", b"{}") == (200, b'{"fault":null}\n')
    status, body = await checked(shown, "Echo", b'{"number": "x"}')
    fault = json.loads(body)["fault"]
    assert (status, fault["level"], fault["steps"]) == (200, "error", ["number"])
    _, body = await checked(shown, "Ecco", b"{}")
    assert json.loads(body)["fault"]["what"] == "there is no method test.v1.Notes/Ecco"


async def test_no_more_of_a_request_is_looked_at_than_a_limit(shown):
    assert (await checked(shown, "Echo", b" " * (BODY_MAX + 1)))[0] == 413


async def test_what_happens_is_streamed_until_the_server_stops(shown, server):
    request = Request(shown, http_scope("/-/events", method="GET", http_version="1.1", **LOCAL))
    request.end().start()
    assert await request.messages(1) == [b'event: calls\ndata: {"calls": []}\n\n']
    server.generations.swap(schema.generation({}, number=4))
    assert (await request.messages(2))[1] == b'event: generation\ndata: {"number": 4}\n\n'
    server.stop(60)
    assert (await request.finished()).status == 200


async def test_a_reader_that_goes_is_let_go(shown, server):
    request = Request(shown, http_scope("/-/events", method="GET", http_version="1.1", **LOCAL))
    request.end().start()
    await request.messages(1)
    assert server.feed.watchers == 1
    request.disconnect()
    await request.task
    assert server.feed.watchers == 0


async def test_only_so_many_may_watch(shown, server):
    watchers = [server.feed.watch() for _ in range(WATCHERS_MAX)]
    assert await get(shown, "/-/events", **LOCAL) == (503, b"too many watch already\n")
    watchers[0].close()
    assert server.feed.watch() is not None


NEAR_HOSTS = ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "127.8.9.1"]
FAR = [
    pytest.param("192.0.2.7", "localhost:8080", id="another machine"),
    pytest.param("127.0.0.1", "evil.example:8080", id="a name that leads here"),
    pytest.param("127.0.0.1", "", id="no host"),
]


@pytest.mark.parametrize("host", NEAR_HOSTS)
async def test_every_name_of_this_machine_will_do(shown, host):
    assert (await get(shown, "/-/state", client=("::1", 1), headers={"host": host}))[0] == 200


@pytest.mark.parametrize("path", ["/", "/-/state", "/-/schema.binpb", "/-/events", "/-/explorer/main.js"])
@pytest.mark.parametrize(("client", "host"), FAR)
async def test_nobody_else_sees_it(shown, app, path, client, host):
    scope = {"client": (client, 50123), "headers": {"host": host}}
    assert (await get(shown, path, **scope))[0] == 404
    assert (await get(app, path, **LOCAL))[0] == 404, "and without being asked for nobody does"


OTHERS = [
    pytest.param({"origin": "https://example.com"}, id="a page of another origin"),
    pytest.param({"origin": "http://localhost:3000"}, id="of another port"),
    pytest.param({"origin": "null"}, id="of none"),
    pytest.param({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, id="a part of such a page"),
    pytest.param({"x-forwarded-for": "192.0.2.7"}, id="a proxy"),
    pytest.param({"forwarded": "for=192.0.2.7"}, id="a proxy of today"),
]
OWN = [
    pytest.param({"origin": "http://localhost:8080"}, id="its own page"),
    pytest.param({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, id="its own page asks"),
    pytest.param({"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, id="an address that was typed"),
    pytest.param({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, id="a link"),
]


@pytest.mark.parametrize("headers", OTHERS)
async def test_nothing_is_shown_to_what_others_run_on_this_machine(shown, headers):
    headers = {"host": "localhost:8080", **headers}
    assert (await get(shown, "/-/state", client=("127.0.0.1", 1), headers=headers))[0] == 404


@pytest.mark.parametrize("headers", OWN)
async def test_its_own_page_and_links_to_it_may_look(shown, headers):
    headers = {"host": "localhost:8080", **headers}
    assert (await get(shown, "/", client=("127.0.0.1", 1), headers=headers))[0] == 200


async def test_whoever_started_the_server_hears_once_why(shown, caplog):
    for _ in range(2):
        await get(shown, "/", headers={"host": "api.example.com"})
    await get(shown, "/elsewhere", headers={"host": "api.example.com"})
    (said,) = caplog.messages
    assert "with --explorer it is for everybody" in said


async def test_everybody_sees_it_if_that_was_asked_for(server):
    console = Console(server.statuses, server.not_found, Shown(server, server.feed, everybody=True))
    scope = {"client": ("192.0.2.7", 50123), "headers": {"host": "api.example.com"}}
    assert (await get(server.wrap(console), "/-/state", **scope))[0] == 200


def test_nothing_of_quart_is_imported_before_someone_asks():
    assert "quart" not in modules_after("import dynconnect.server.service")
