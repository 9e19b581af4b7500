"""Calls to an ASGI application in this event loop, without a network: for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from dynconnect.client.transport import Body
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.events import Data, End, Event, Headers, Request, Response

# Any: ASGI's messages hold what each type of them has.
_Message: TypeAlias = MutableMapping[str, Any]
_App: TypeAlias = Callable[[_Message, Callable[..., Any], Callable[..., Any]], Awaitable[None]]


class MemoryTransport:
    """Calls of *app*, as if over HTTP/2."""

    def __init__(self, app: _App) -> None:
        self._app = app

    async def events(self, request: Request, body: Body) -> AsyncGenerator[Event, None]:
        """The events of the answer; see `Transport`."""
        server = _Server(self._app, request, body)
        try:
            async for event in server.answer():
                yield event
        finally:
            await server.aclose()

    async def aclose(self) -> None:
        """Nothing: there are no connections."""


class _Server:
    """What a server does around an application, for one request."""

    def __init__(self, app: _App, request: Request, body: Body) -> None:
        self._sent: asyncio.Queue[_Message | None] = asyncio.Queue(1)
        self._received: asyncio.Queue[_Message] = asyncio.Queue(1)
        self._gone = False
        self._trailers = False
        self._task = asyncio.create_task(self._run(app, _scope(request)))
        self._sending = asyncio.create_task(self._send(body))

    async def _run(self, app: _App, scope: _Message) -> None:
        try:
            await app(scope, self._receive, self._sent.put)
        finally:
            await self._sent.put(None)

    async def _send(self, body: Body) -> None:
        """Let the request's body arrive; if it breaks off, the client has gone."""
        try:
            async for piece in _pieces(body):
                await self._received.put({"type": "http.request", "body": piece, "more_body": True})
        except Exception:  # noqa: BLE001  the caller, who made the body, knows of it
            await self._received.put({"type": "http.disconnect"})
        else:
            await self._received.put({"type": "http.request", "body": b"", "more_body": False})

    async def _receive(self) -> _Message:
        return {"type": "http.disconnect"} if self._gone else await self._received.get()

    async def answer(self) -> AsyncIterator[Event]:
        while (message := await self._sent.get()) is not None:
            for event in self._events(message):
                yield event
                if isinstance(event, End):
                    return
        raise ConnectError(Code.UNAVAILABLE, "the application ended before its answer did")

    def _events(self, message: _Message) -> list[Event]:
        match message["type"]:
            case "http.response.start":
                self._trailers = message.get("trailers", False)
                return [Response(message["status"], _text(message["headers"]))]
            case "http.response.body":
                ends = not (message.get("more_body", False) or self._trailers)
                return [Data(message["body"]), *([End()] if ends else [])]
            case _:
                return [End(_text(message["headers"]))]

    async def aclose(self) -> None:
        """The client goes; wait until the application has ended."""
        self._gone = True
        self._sending.cancel()
        await asyncio.wait([self._sending])
        while not self._task.done():
            if self._received.empty():
                self._received.put_nowait({"type": "http.disconnect"})
            if not self._sent.empty():
                self._sent.get_nowait()
            await asyncio.sleep(0)
        if not self._task.cancelled():
            self._task.result()


def _scope(request: Request) -> _Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "2",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "root_path": "",
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.pairs
        ],
        "client": None,
        "server": None,
        "extensions": {"http.response.trailers": {}, "dynconnect.early_response": {}},
    }


async def _pieces(body: Body) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    async for piece in body:
        yield piece


def _text(headers: Any) -> Headers:  # Any: pairs of bytes, by ASGI
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
