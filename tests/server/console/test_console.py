"""The pages behind the RPCs, and what they leave alone."""

from __future__ import annotations

import pytest
from support import schema
from support.asgi import Request, http_scope
from support.handlers import HANDLERS
from support.programs import modules_after

from dynconnect.server.asgi import Server
from dynconnect.server.console.console import PATHS, Console


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


def test_nothing_of_quart_is_imported_before_someone_asks():
    assert "quart" not in modules_after("import dynconnect.server.service")
