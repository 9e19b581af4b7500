"""The process round a server: its event loop, its signals, and an end that is certain to come."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Generic, TypeAlias, TypeVar
from typing import Protocol as Interface

from dynconnect.server.engines.endpoint import Endpoint

log = logging.getLogger(__name__)

A = TypeVar("A")
A_in = TypeVar("A_in", contravariant=True)


@dataclass(frozen=True, slots=True)
class Served(Generic[A]):
    """An application that runs.

    Attributes:
        app: what an engine takes.
        stop: called first when it is time to stop, while connections are still accepted.
    """

    app: A
    stop: Callable[[], object]


Program: TypeAlias = AbstractAsyncContextManager[Served[A]]
"""What is served: entered in the event loop before the first connection, left after the last call."""

END_TIMEOUT = 10.0
"""Seconds from the end of the grace to the end of the process, whatever still runs in it."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Engine(Interface[A_in]):
    """Runs an application at an endpoint: the `serve` of a module in this folder.

    An application is one of ASGI, or where it runs in another process, what that makes it from.
    """

    async def __call__(
        self, app: A_in, endpoint: Endpoint, *, on_ready: Callable[[], object], stop: Callable[[], Any]
    ) -> None:
        """Serve until *stop* returns."""


def run(
    engine: Engine[A], program: Program[A], endpoint: Endpoint, *, on_ready: Callable[[], object]
) -> None:
    """Serve *program* in this process until SIGINT or SIGTERM; a second one ends the process at once."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_until_signalled(engine, program, endpoint, on_ready))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop of uvloop where that is installed, else None for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _until_signalled(
    engine: Engine[A], program: Program[A], endpoint: Endpoint, on_ready: Callable[[], object]
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(report)
    stop = asyncio.Event()

    def begin_stop() -> None:
        end_within(endpoint.settings.grace)
        loop.call_soon_threadsafe(stop.set)

    with _on_signal(begin_stop):
        async with program as served:

            async def stopped() -> None:
                await stop.wait()
                served.stop()

            await engine(served.app, endpoint, on_ready=on_ready, stop=stopped)


@contextmanager
def _on_signal(callback: Callable[[], None]) -> Iterator[None]:
    """Call *callback* at the first SIGINT or SIGTERM; the second one does what the system does by default.

    Not the loop's add_signal_handler: that one is deaf while a handler holds up the loop, and then
    there would be no second signal either.
    """
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def handle(_number: int, _frame: FrameType | None) -> None:
        for number in before:
            signal.signal(number, signal.SIG_DFL)
        callback()

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)


def end_within(grace: float) -> None:
    """End the process `END_TIMEOUT` after *grace* seconds, unless it ends before.

    Threads can't be cancelled, and a coroutine may swallow its cancellation: without this either of
    them would keep a stopped server alive.
    """

    def end() -> None:
        log.warning("something still runs in a handler: the process ends without it")
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)

    timer = threading.Timer(grace + END_TIMEOUT, end)
    timer.daemon = True
    timer.start()


def report(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # Any: asyncio's own
    """Log what no task was there to catch; a connection that breaks is no news."""
    exc = context.get("exception")
    if isinstance(exc, ConnectionError | TimeoutError | ssl.SSLError):
        log.debug("a connection broke: %s", exc)
    else:
        log.error("%s", context["message"], exc_info=exc)
