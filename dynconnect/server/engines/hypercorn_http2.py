"""Our HTTP/2 in the place of hypercorn's: hypercorn opens sockets, speaks TLS, HTTP/1.1 and HTTP/3, and logs.

``install()`` puts it there, for h2c by prior knowledge and by Upgrade and for TLS with ALPN alike. When
hypercorn finds that a connection speaks HTTP/2 it makes an ``H2Protocol``; ours takes the transport over, so
that bytes come to us straight from the loop and not through hypercorn's reader task. Hypercorn's own protocol
object learns only that the connection is lost.

What hypercorn promises of a call is kept: its access log, response headers, server names, root path and
``max_requests``. Its idle clock is not: ours counts from the last call on, and never while one runs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.metadata import version
from inspect import signature
from time import time
from typing import TYPE_CHECKING, Any, cast

import hypercorn.protocol
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.typing import AppWrapper, ConnectionState, TaskGroup

from dynconnect.server.http2 import DEFAULT, Connection, Limits
from dynconnect.server.http2.stream import App, Message

KNOWN = ("0.18.",)
"""Versions whose inner workings are known; others may have changed what ``_Slot`` leans on."""
_ARGUMENTS = ["app", "config", "context", "task_group", "connection_state", "ssl", "client", "server", "send"]
_MARGIN = 0.5  # seconds that hypercorn has left when our grace is over

if TYPE_CHECKING:
    from hypercorn.asyncio.tcp_server import TCPServer

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Http2Config(Config):
    """A configuration of hypercorn that says which HTTP/2 it means."""

    http2_limits: Limits | None = DEFAULT
    """The limits of ours; None leaves HTTP/2 to hypercorn."""

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:
        """What hypercorn adds to each answer; our HTTP/2 dates its answers itself."""
        headers = super().response_headers(protocol)
        ours = protocol == "h2" and self.http2_limits is not None
        return [pair for pair in headers if pair[0] != b"date"] if ours else headers


def install() -> str | None:
    """Makes hypercorn speak HTTP/2 by us; returns why not, if it is not the hypercorn that we know.

    An `Http2Config` may say otherwise for the servers that it is given to.
    """
    stock = hypercorn.protocol.H2Protocol  # type: ignore[attr-defined]  # not in its __all__
    if isinstance(stock, _Choice):
        return None
    found = version("hypercorn")
    if not f"{found}.".startswith(KNOWN):
        return f"hypercorn {found} is not known (only {', '.join(KNOWN)}x); its own HTTP/2 is used"
    if list(signature(stock).parameters) != _ARGUMENTS:
        return f"hypercorn {found} has another H2Protocol than expected; its own HTTP/2 is used"
    hypercorn.protocol.H2Protocol = _Choice(stock)  # type: ignore[attr-defined,assignment]
    return None


class _Choice:
    """What hypercorn makes its HTTP/2 connections with: ours, or its *stock* ones."""

    def __init__(self, stock: Callable[..., Any]) -> None:  # Any: hypercorn's class, which it does not export
        self._stock = stock

    def __call__(self, app: AppWrapper, config: Config, *rest: Any) -> Any:  # Any: passed on as it is
        limits = config.http2_limits if isinstance(config, Http2Config) else DEFAULT
        make = self._stock if limits is None else partial(_Slot, limits)
        return make(app, config, *rest)


class _Slot:
    """What hypercorn takes for its ``H2Protocol``, for one connection."""

    def __init__(  # the arguments are hypercorn's
        self,
        limits: Limits,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        task_group: TaskGroup,
        connection_state: ConnectionState,
        ssl: bool,  # noqa: FBT001
        client: tuple[str, int] | None,
        server: tuple[str, int] | None,
        send: Callable[[Event], Awaitable[None]],
    ) -> None:
        self._config, self._context, self._task_group, self._send = config, context, task_group, send
        self._shell: TCPServer = send.__self__  # type: ignore[attr-defined]
        self._grace = max(config.graceful_timeout - limits.linger - _MARGIN, 0)
        self._connection = Connection(
            _dressed(_plain(app), config, context),
            asyncio.get_running_loop(),
            limits=limits,
            scheme="https" if ssl else "http",
            client=client,
            server=server,
            state=connection_state,
        )

    async def initiate(
        self, headers: list[tuple[bytes, bytes]] | None = None, settings: bytes | None = None
    ) -> None:
        """Takes the transport over; *headers* and *settings* are those of an Upgrade."""
        transport, reader = cast("asyncio.Transport", self._shell.writer.transport), self._shell.reader
        self._stream_protocol = transport.get_protocol()
        transport.set_protocol(self._connection)
        self._connection.connection_made(transport)
        if headers is not None:
            pairs = [(name, value) for name, value in headers if name[:1] != b":"]
            self._connection.upgrade(headers[0][1].decode(), headers[1][1], pairs, settings or b"")
        # What hypercorn's reader has read, and hypercorn not yet: it comes first.
        self._unread = bytes(reader._buffer)  # type: ignore[attr-defined]
        reader._buffer.clear()  # type: ignore[attr-defined]
        # Nothing newer may overtake it: bytes come straight from the transport once `_watch` has begun.
        if transport.is_reading():
            transport.pause_reading()
        self._task_group.spawn(self._watch)

    async def handle(self, event: Event) -> None:
        """What hypercorn had read before we came, and its wish to end."""
        if isinstance(event, RawData):
            self._connection.data_received(event.data)
        elif isinstance(event, Closed):
            self._connection.shutdown(0)

    async def _watch(self) -> None:
        """Hypercorn's task group waits for this: until the connection and its calls have ended."""
        if self._unread:
            self._connection.data_received(self._unread)
        transport = cast("asyncio.Transport", self._shell.writer.transport)
        if not transport.is_closing():
            transport.resume_reading()
        await self._send(Updated(idle=False))  # hypercorn's idle clock stops
        terminated = asyncio.ensure_future(self._context.terminated.wait())
        closed = asyncio.ensure_future(self._connection.wait_closed())
        try:
            await asyncio.wait({terminated, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not closed.done():
                self._connection.shutdown(self._grace)
            await closed
        finally:
            terminated.cancel()
            closed.cancel()
            if not closed.done() or closed.cancelled():
                self._shell.writer.transport.abort()
            self._stream_protocol.connection_lost(None)


def _plain(wrapper: AppWrapper) -> App:
    """The ASGI application in hypercorn's *wrapper*."""
    if isinstance(wrapper, ASGIWrapper):
        app: App = wrapper.app  # type: ignore[assignment]
        return app
    loop = asyncio.get_running_loop()

    call = cast("Any", wrapper)  # hypercorn types events and scopes as TypedDicts of its own

    def call_soon(send: Send, message: Message) -> None:
        asyncio.run_coroutine_threadsafe(_awaited(send(message)), loop).result()

    async def wsgi(scope: Message, receive: Receive, send: Send) -> None:
        await call(scope, receive, send, partial(loop.run_in_executor, None), call_soon)

    return wsgi


def _dressed(app: App, config: Config, context: WorkerContext) -> App:
    """*app* with what hypercorn adds to a call; *app* itself if that is nothing."""
    if (
        config.log.access_logger is None
        and context.max_requests is None
        and not (config.server_names or config.root_path or config.response_headers("h2"))
    ):
        return app

    async def dressed(scope: Message, receive: Receive, send: Send) -> None:
        """*app*, or 404 for a host that is not served, with hypercorn's headers and a line in its log."""
        began, start = time(), None

        async def noting(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *config.response_headers("h2")]
                start = message = {**message, "headers": headers}
            await send(message)

        scope["root_path"] = config.root_path
        await context.mark_request()
        try:
            if config.server_names and _host(scope) not in config.server_names:
                await noting({"type": "http.response.start", "status": 404})
                await noting({"type": "http.response.body"})
            else:
                await app(scope, receive, noting)
        finally:
            await config.log.access(scope, start, time() - began)  # type: ignore[arg-type]

    return dressed


async def _awaited(something: Awaitable[None]) -> None:
    await something


def _host(scope: Message) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
