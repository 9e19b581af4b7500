"""The pages: probes for those who can't ask grpc.health.v1, and the explorer, with what it asks for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias, cast

from quart import Quart, Response, request

from dynconnect.plugins.health import WHOLE
from dynconnect.server.asgi_call import App
from dynconnect.server.console import reference, requests
from dynconnect.server.console.state import Shown, set_of, state_of
from dynconnect.server.feed import Watcher
from dynconnect.server.services.statuses import Statuses

Answer: TypeAlias = tuple[str | bytes | dict[str, object], int, dict[str, str]]

NOT_STORED = {"cache-control": "no-store"}
TEXT = {"content-type": "text/plain; charset=utf-8", **NOT_STORED}
JSON = {"content-type": "application/json", **NOT_STORED}

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What the explorer's files are."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""What the explorer may do: nothing but run its own files and ask this server. Source: CSP Level 3."""
BODY_MAX = 4 * 1024 * 1024
"""How many bytes of a request are looked at before it is sent."""
BEAT = 15.0
"""Seconds without an event after which a comment shows that both sides are still there."""


def pages(statuses: Statuses, shown: Shown | None) -> App:
    """An application with the probes of a server that has these *statuses*, and an explorer of *shown*."""
    app = Quart(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_MAX
    app.json.sort_keys = False  # type: ignore[attr-defined]  # methods and fields come as they are declared

    @app.get("/healthz")
    async def alive() -> Answer:
        return "ok\n", 200, TEXT

    @app.get("/readyz")
    async def ready() -> Answer:
        if statuses.serving(WHOLE):
            return "SERVING\n", 200, TEXT
        return "NOT_SERVING\n", 503, TEXT

    if shown is not None:
        _add_explorer(app)
        _add_state(app, shown)
        _add_reference(app, shown)
    return cast("App", app)  # an ASGI application, in types of its own


def _add_explorer(app: Quart) -> None:
    folder = Path(__file__).with_name("explorer")
    # Held, as they are few and small: a file that is opened for a reader who goes is left open.
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in TYPES}

    @app.get("/", defaults={"name": "index.html"})
    @app.get("/-/explorer/<name>")
    async def explorer(name: str) -> Response:
        if name not in files:
            return Response(f"the explorer has no {name}\n", 404, headers=TEXT)
        response = Response(files[name], headers={"content-type": TYPES[Path(name).suffix]})
        response.headers["cache-control"] = "no-cache"  # ask each time: another version may be here
        await response.add_etag()
        return await response.make_conditional(request)

    @app.after_request
    async def guard(response: Response) -> Response:
        response.headers["content-security-policy"] = POLICY
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["referrer-policy"] = "no-referrer"
        return response


def _add_state(app: Quart, shown: Shown) -> None:
    # Plain functions run in threads: large schemas take a while.
    @app.get("/-/state")
    def state() -> Answer:
        return state_of(shown.generation, shown.feed), 200, NOT_STORED

    @app.get("/-/schema.binpb")
    def schema() -> Answer:
        data = set_of(shown.generation.schema)
        return data, 200, {"content-type": "application/octet-stream", **NOT_STORED}

    @app.get("/-/events")
    async def events() -> Response:
        watcher = shown.feed.watch()
        if watcher is None:
            return Response("too many watch already\n", 503, headers=TEXT)
        response = Response(_stream(watcher), headers={"content-type": "text/event-stream", **NOT_STORED})
        response.timeout = None  # it ends with the server, or with its reader
        return response


def _add_reference(app: Quart, shown: Shown) -> None:
    @app.get("/-/symbols/<name>")
    def symbol(name: str) -> Answer:
        try:
            return reference.symbol_of(shown.generation.schema, name), 200, NOT_STORED
        except LookupError as exc:
            return f"{exc.args[0]}\n", 404, TEXT

    @app.get("/-/example/<service>/<method>")
    def example(service: str, method: str) -> Answer:
        route = shown.generation.routes.get(f"/{service}/{method}")
        if route is None:
            return f"there is no method {service}/{method}\n", 404, TEXT
        return requests.example(route), 200, JSON

    @app.post("/-/check/<service>/<method>")
    async def check(service: str, method: str) -> Answer:
        data = cast("bytes", await request.get_data())
        generation = shown.generation
        fault = await asyncio.to_thread(requests.fault, generation, f"{service}/{method}", data)
        return {"fault": fault}, 200, NOT_STORED


async def _stream(watcher: Watcher) -> AsyncIterator[bytes]:
    """Server-sent events, until the server stops. Source: HTML, "Server-sent events"."""
    try:
        while True:
            try:
                async with asyncio.timeout(BEAT):
                    events = await watcher.events()
            except TimeoutError:
                yield b":\n\n"
                continue
            if not events:
                return
            yield b"".join(f"event: {kind}\ndata: {json.dumps(what)}\n\n".encode() for kind, what in events)
    finally:
        watcher.close()
