"""hypercorn under the application: its connections, under an accept loop of our own.

hypercorn 0.18's own loop can't stop while a stream is open: it ends with CancelledError (exit code
1) once its grace is over, and from Python 3.12.1 on it waits for such connections for ever. Here
listening, lifespan and stopping are ours; a connection (HTTP/1.1, HTTP/2, WebSocket) is hypercorn's.
Only the files with its name import hypercorn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, LifespanState

from dynconnect.server.asgi_call import App
from dynconnect.server.engines import hypercorn_http2, own_http2
from dynconnect.server.engines.calls import CUT_TIMEOUT, WAITING, Calls, current_task
from dynconnect.server.engines.endpoint import Endpoint
from dynconnect.server.engines.head_writer import HeadWriter
from dynconnect.server.engines.hypercorn_http2 import Http2Config
from dynconnect.server.engines.settings import Settings

log = logging.getLogger(__name__)


def configure(settings: Settings) -> Http2Config:
    """The configuration of hypercorn, its defaults replaced where they would lose calls."""
    config = Http2Config()
    config.errorlog = log
    config.include_server_header = False
    config.keep_alive_timeout = settings.idle_timeout
    # At this many requests it would close the connection, and lose the calls that run on it.
    config.keep_alive_max_requests = 2**62
    config.h11_max_incomplete_size = settings.head_max_bytes
    config.h2_max_header_list_size = settings.head_max_bytes
    config.h2_max_concurrent_streams = settings.streams_max
    # A full queue stops all calls of its connection: room for a burst of small frames. Not without
    # end, as it is what holds back a client that sends faster than its call reads.
    config.max_app_queue_size = 64
    config.http2_limits = None if settings.http2 == "hypercorn" else own_http2.limits(settings)
    # What it says to our HTTP/2; `_Connections.drain` cuts calls before that.
    config.graceful_timeout = settings.grace + own_http2.LAST_WORDS
    return config


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
    calls = Calls(app)
    config = configure(settings)
    if settings.http2 == "own" and (reason := hypercorn_http2.install()):
        log.warning("%s", reason)
    async with _lifespan(calls, config) as state:
        connections = _Connections(calls, config, state)
        tls: dict[str, Any] = {}  # Any: options of different types
        if endpoint.tls is not None:
            # The default shutdown waits half a minute for clients that have long lost interest.
            tls = {"ssl_handshake_timeout": settings.handshake_timeout, "ssl_shutdown_timeout": CUT_TIMEOUT}
        servers = [
            await asyncio.start_server(
                connections.serve,
                sock=sock,
                ssl=endpoint.tls,
                backlog=settings.backlog,
                **tls,
            )
            for sock in endpoint.sockets
        ]
        on_ready()
        await stop()
        for server in servers:
            server.close()  # not wait_closed: see the top
        await connections.drain(settings.grace)


class _Connections:
    """The open connections of a server."""

    def __init__(self, calls: Calls, config: Http2Config, state: LifespanState) -> None:
        self._calls = calls
        self._app = _wrapped(calls)
        self._config = config
        self._state = state
        self._context = WorkerContext(None)
        self._open: dict[asyncio.Task[object], asyncio.StreamWriter] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection. Never raises: nobody would hear it but the log of the event loop."""
        task = current_task()
        self._open[task] = writer
        peer = writer.get_extra_info("peername")
        try:
            loop, ours = asyncio.get_running_loop(), cast(asyncio.StreamWriter, HeadWriter(writer))
            await TCPServer(self._app, loop, self._config, self._context, self._state, reader, ours)
        except asyncio.CancelledError:
            pass  # the event loop ends
        except Exception as exc:
            # A fault of hypercorn's ends one connection, no more; its trace helps only who looks for it.
            level = logging.DEBUG if _is_breakage(exc) else logging.WARNING
            trace = exc if log.isEnabledFor(logging.DEBUG) else None
            log.log(level, "the connection of %s broke: %s", peer, _causes(exc), exc_info=trace)
        finally:
            writer.transport.abort()  # nothing, unless closing it was cut short
            del self._open[task]

    async def drain(self, grace: float) -> None:
        """Close connections as they become idle; cut the calls that are left after *grace* seconds."""
        await self._context.terminated.set()
        running = self._calls.running
        if running:
            log.info(WAITING, len(running), grace)
        await self._wait(grace if running else min(grace, CUT_TIMEOUT))
        if running:
            await self._wait(CUT_TIMEOUT)  # the application ends them by itself now, with an answer
        if running:
            log.warning("calls cut after %g s: %d", grace, len(running))
        for call in list(running):
            # Not the connection: hypercorn then ends it in its usual way, with a GOAWAY.
            call.cancel()
        await self._wait(CUT_TIMEOUT)
        for writer in self._open.values():
            writer.transport.abort()  # its client does not read what is left to send
        await self._wait(CUT_TIMEOUT)

    async def _wait(self, seconds: float) -> None:
        if self._open:
            await asyncio.wait(self._open, timeout=seconds)


@asynccontextmanager
async def _lifespan(app: App, config: Http2Config) -> AsyncIterator[LifespanState]:
    """Start and stop *app*; what it shares with its requests.

    Raises:
        Exception: what kept *app* from starting.
    """
    state = cast(LifespanState, {})
    lifespan = Lifespan(_wrapped(app), config, asyncio.get_running_loop(), state)
    task = asyncio.create_task(lifespan.handle_lifespan())
    await lifespan.wait_for_startup()
    if task.done():
        task.result()
    try:
        yield state
    finally:
        await lifespan.wait_for_shutdown()
        task.cancel()
        [outcome] = await asyncio.gather(task, return_exceptions=True)
        if isinstance(outcome, Exception):
            log.error("the application failed to stop", exc_info=outcome)


def _wrapped(app: App) -> ASGIWrapper:
    return ASGIWrapper(cast(ASGIFramework, app))


def _is_breakage(exc: Exception) -> bool:
    """Whether it is the network's doing."""
    if isinstance(exc, ExceptionGroup):
        return all(map(_is_breakage, exc.exceptions))
    return isinstance(exc, OSError)


def _causes(exc: BaseException) -> str:
    """*exc* in a line; of a group, what is in it."""
    if isinstance(exc, BaseExceptionGroup):
        return ", ".join(_causes(inner) for inner in exc.exceptions)
    return repr(exc)
