"""uvicorn under the application: its HTTP/1.1 (httptools), beside our HTTP/2, under an accept loop of ours.

Of uvicorn are its configuration and, through `uvicorn_http1`, its protocol class, which has no promise
of staying as it is: the tests of this engine tell when it does not. Its own loop would give TLS a minute
to begin and half a minute to end, and log a trace for each call that it cuts. Only the files with its
name import uvicorn.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from functools import lru_cache, partial
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from dynconnect.server.asgi_call import App, Message, Receive, Scope, Send
from dynconnect.server.engines import own_http2
from dynconnect.server.engines.calls import CUT_TIMEOUT, WAITING, Calls
from dynconnect.server.engines.endpoint import Endpoint
from dynconnect.server.engines.lifespan import lifespan
from dynconnect.server.engines.settings import Settings
from dynconnect.server.engines.uvicorn_http1 import Http1, Pairs
from dynconnect.server.http2 import Connection
from dynconnect.server.http2.frames import PREFACE

log = logging.getLogger(__name__)

_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"


async def serve(
    app: App, endpoint: Endpoint, *, on_ready: Callable[[], object], stop: Callable[[], Awaitable[object]]
) -> None:
    """Run *app* at *endpoint* until *stop* returns and its calls have ended, or been cut after `grace`.

    Args:
        app: the ASGI application.
        endpoint: where to listen; its sockets are closed at the end.
        on_ready: called once connections are accepted.
        stop: waits until it is time to stop.
    """
    settings = endpoint.settings
    loop = asyncio.get_running_loop()
    async with lifespan(app) as state:
        connections = _Connections(Calls(app), settings, state)
        tls: dict[str, Any] = {}  # Any: options of different types
        if endpoint.tls is not None:
            tls = {"ssl_handshake_timeout": settings.handshake_timeout, "ssl_shutdown_timeout": CUT_TIMEOUT}
        make = partial(_Either, connections)
        servers = [
            await loop.create_server(make, sock=sock, ssl=endpoint.tls, backlog=settings.backlog, **tls)
            for sock in endpoint.sockets
        ]
        on_ready()
        await stop()
        for server in servers:
            server.close()  # not wait_closed: from Python 3.12.1 on it waits for connections
        await connections.drain(settings.grace)


class _Connections:
    """The open connections of a server, and what they have in common."""

    def __init__(self, calls: Calls, settings: Settings, state: dict[str, Any]) -> None:  # Any: the app's
        self.calls = calls
        self.settings = settings
        self.state = state
        self.loop = asyncio.get_running_loop()
        self.open: dict[_Either, asyncio.Future[None]] = {}
        self.limits = own_http2.limits(settings)
        self.config = uvicorn.Config(
            _dated(_uncut(self)),
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        self.config.load()
        self.uvicorn = ServerState()
        self.cutting = False

    async def drain(self, grace: float) -> None:
        """Close connections as they become idle; cut the calls that are left after *grace* seconds."""
        for connection in list(self.open):
            connection.shutdown(grace + own_http2.LAST_WORDS)
        running = self.calls.running
        if running:
            log.info(WAITING, len(running), grace)
        await self._wait(grace if running else min(grace, CUT_TIMEOUT))
        if running:
            await self._wait(CUT_TIMEOUT)  # the application ends them by itself now, with an answer
        if running:
            log.warning("calls cut after %g s: %d", grace, len(running))
        self.cutting = True
        for call in list(running):
            call.cancel()
        for connection in list(self.open):
            connection.cut()
        await self._wait(CUT_TIMEOUT)
        for connection in list(self.open):
            connection.transport.abort()  # its client does not read what is left to send
        await self._wait(CUT_TIMEOUT)

    async def _wait(self, seconds: float) -> None:
        waiting: set[asyncio.Future[Any]] = {*self.open.values(), *self.calls.running}
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)


class _Either(asyncio.Protocol):
    """One client's connection, which becomes HTTP/1.1 or HTTP/2 once it is known which one it speaks."""

    transport: asyncio.Transport

    def __init__(self, connections: _Connections) -> None:
        self._all = connections
        self._start = b""
        self._protocol: Http1 | Connection | None = None
        self._impatience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """With TLS it is known already (ALPN), without it the first bytes tell (RFC 9113, section 3.3)."""
        self.transport = cast("asyncio.Transport", transport)
        self._all.open[self] = self._all.loop.create_future()
        tls = transport.get_extra_info("ssl_object")
        if tls is None:
            timeout = self._all.settings.idle_timeout
            self._impatience = self._all.loop.call_later(timeout, self.transport.close)
        elif tls.selected_alpn_protocol() == "h2":
            self._become(self._http2())
        else:
            self._become(self._http1())

    def data_received(self, data: bytes) -> None:
        """Reads what the client sent."""
        if self._protocol is not None:
            self._protocol.data_received(data)
            return
        self._start += data
        if not PREFACE.startswith(self._start[: len(PREFACE)]):
            self._become(self._http1())
        elif len(self._start) >= len(PREFACE):
            self._become(self._http2())

    def eof_received(self) -> None:
        """The client has no more to send: the transport closes."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends all calls."""
        if self._impatience is not None:
            self._impatience.cancel()
        if self._protocol is not None:
            self._protocol.connection_lost(exc)
        self._all.open.pop(self).set_result(None)

    def pause_writing(self) -> None:
        """The socket is full."""
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """The socket takes more."""
        if self._protocol is not None:
            self._protocol.resume_writing()

    def shutdown(self, grace: float) -> None:
        """Begin no call, and close after the last one; HTTP/2 gives them *grace* seconds."""
        match self._protocol:
            case None:
                self.transport.close()
            case Connection() as http2:
                http2.shutdown(grace)
            case http1:
                http1.shutdown()

    def cut(self) -> None:
        """The calls are being cancelled. HTTP/2 resets their streams by itself."""
        if isinstance(self._protocol, Http1):
            self._protocol.cut()
            self.transport.close()

    def _become(self, protocol: Http1 | Connection) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
        self._protocol = protocol
        protocol.connection_made(self.transport)
        if start := self._start:
            self._start = b""
            protocol.data_received(start)

    def _http1(self) -> Http1:
        shared = self._all
        tls = self.transport.get_extra_info("ssl_object") is not None
        upgraded = None if tls else self._upgrade  # RFC 7540, section 3.2: with TLS there is ALPN
        return Http1(shared.config, shared.uvicorn, shared.state, shared.loop, shared.settings, upgraded)

    def _http2(self) -> Connection:
        tls = self.transport.get_extra_info("ssl_object") is not None
        scheme, shared = "https" if tls else "http", self._all
        return Connection(shared.calls, shared.loop, limits=shared.limits, scheme=scheme, state=shared.state)

    def _upgrade(self, method: str, target: bytes, headers: Pairs, settings: bytes, rest: bytes) -> None:
        """HTTP/2 from here on, with an HTTP/1.1 request as its first stream (RFC 7540, section 3.2)."""
        self._all.uvicorn.connections.discard(cast("Http1", self._protocol))
        self.transport.write(_SWITCH)
        http2 = self._http2()
        self._become(http2)
        http2.upgrade(method, target, headers, settings)
        if rest:
            http2.data_received(rest)


def _dated(app: App) -> App:
    """*app*, with the date that a server with a clock owes (RFC 9110, section 6.6.1)."""

    async def dated(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                if not any(name == b"date" for name, _ in headers):
                    message = {**message, "headers": [*headers, _date(int(time.time()))]}
            await send(message)

        await app(scope, receive, sending)

    return dated


@lru_cache(maxsize=1)
def _date(second: int) -> tuple[bytes, bytes]:
    return b"date", formatdate(second, usegmt=True).encode()


def _uncut(connections: _Connections) -> Any:  # Any: uvicorn types events and scopes as TypedDicts of its own
    """The application for uvicorn, which takes a cancelled call for a crash and logs its trace."""

    async def uncut(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await connections.calls(scope, receive, send)
        except asyncio.CancelledError:
            if not connections.cutting:
                raise

    return uncut
