"""A worker process from inside: it does what its supervisor says, and serves.

It stops when it gets SIGTERM, and when its supervisor has gone. SIGINT is for the supervisor: Ctrl-C
reaches all processes of a terminal, and the calls of a worker are to end in peace. SIGHUP likewise.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from dynconnect.live.comparison import compare
from dynconnect.live.generation import Generation
from dynconnect.schema.finding import Finding, FindingsError
from dynconnect.server.asgi import Server
from dynconnect.server.engines import table, tls
from dynconnect.server.engines.endpoint import Endpoint
from dynconnect.server.engines.run import STOP_SIGNALS, end_within, loop_factory, report
from dynconnect.server.engines.settings import Settings
from dynconnect.server.service import Service
from dynconnect.server.workers.candidate import Candidate
from dynconnect.server.workers.messages import (
    Abort,
    Announce,
    Answer,
    Commit,
    Leaving,
    Order,
    Prepare,
    Prepared,
    Refused,
    Serving,
)

log = logging.getLogger(__name__)


_FULL = Finding(
    "--workers",
    "too many older generations still have calls",
    "wait until they end, or set a shorter --drain",
)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is to do; it is pickled, with its functions by name and its sockets by descriptor.

    Attributes:
        engine: its name in the table.
        port: that of the *sockets*, which listen.
        begin: called first, with the worker's number.
        announce: tells people what is served, and where.
    """

    service: Service
    engine: str
    settings: Settings
    port: int
    sockets: tuple[socket.socket, ...]
    begin: Callable[[int], object]
    announce: Callable[[Generation, Endpoint], object]


def main(number: int, assignment: Assignment, connection: Connection) -> None:
    """Serve, from the first order of the supervisor to the end of the process."""
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    assignment.begin(number)
    # What is imported by now stays: the collections that follow reloads need not look through it.
    gc.freeze()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_run(assignment, connection))


async def _run(assignment: Assignment, connection: Connection) -> None:
    asyncio.get_running_loop().set_exception_handler(report)
    worker = _Worker(assignment, connection)
    signal.signal(signal.SIGTERM, lambda _number, _frame: worker.begin_stop())
    # The supervisor has blocked them: until now, they would have ended the process.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    await worker.run()


class _Worker:
    """The server of this process, and its line to the supervisor."""

    def __init__(self, assignment: Assignment, connection: Connection) -> None:
        self._assignment = assignment
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._candidate = Candidate(self._build, self._swap)
        self._first: asyncio.Future[Generation | None] = self._loop.create_future()
        self._stopping = False
        self._stop = asyncio.Event()
        self._endpoint: Endpoint | None = None
        self._server: Server | None = None

    async def run(self) -> None:
        """Follow orders, and serve from the first `Commit` on."""
        threading.Thread(target=self._listen, daemon=True).start()
        following = asyncio.create_task(self._follow())
        following.add_done_callback(self._deaf)
        try:
            generation = await self._first
            if generation is not None and self._endpoint is not None:
                await self._serve(generation, self._endpoint)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await self._candidate.abort()

    def begin_stop(self) -> None:
        """Stop, whichever thread says so, and whatever holds up the event loop."""
        if self._stopping:
            return
        self._stopping = True
        end_within(self._assignment.settings.grace)
        # The loop may just have ended, and then all is done.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._halt)

    def _halt(self) -> None:
        self._stop.set()
        if not self._first.done():
            self._first.set_result(None)

    def _deaf(self, following: asyncio.Task[None]) -> None:
        """Leave, if a fault has ended it: another worker is to take this place."""
        if not following.cancelled() and (fault := following.exception()) is not None:
            log.error("this worker can't follow its supervisor any more", exc_info=fault)
            self.begin_stop()

    def _listen(self) -> None:
        """Hear the supervisor. In a thread: its death must be seen even if a handler holds up the loop."""
        try:
            while True:
                order = self._connection.recv()
                self._loop.call_soon_threadsafe(self._orders.put_nowait, order)
        except (OSError, EOFError):
            self.begin_stop()
        except RuntimeError:
            pass  # the loop has ended

    def _tell(self, message: Answer | Leaving) -> None:
        # A supervisor that has gone is `_listen`'s to notice.
        with suppress(OSError):
            self._connection.send(message)

    async def _follow(self) -> None:
        """Do what is ordered, one order at a time."""
        while True:
            match await self._orders.get():
                case Prepare(number):
                    self._tell(await self._prepare(number))
                case Commit():
                    await self._candidate.commit()
                case Abort():
                    await self._candidate.abort()
                case Announce() if self._server is not None and self._endpoint is not None:
                    self._assignment.announce(self._server.generations.current, self._endpoint)

    async def _prepare(self, number: int) -> Answer:
        try:
            candidate = await self._candidate.prepare(number)
            if self._server is None:
                return Prepared(candidate.hash)
            current = self._server.generations.current
            return Prepared(candidate.hash, await asyncio.to_thread(compare, current, candidate))
        except FindingsError as exc:
            return Refused(exc.findings)
        except Exception as exc:
            # What serves must not end with it, and the supervisor waits for an answer.
            log.exception("building generation %d failed", number)
            return Refused((Finding("dynconnect", f"building failed: {exc!r}", "see the log"),))

    async def _build(self, number: int) -> Generation:
        if self._endpoint is None:
            of = self._assignment
            # A context for TLS can't be sent: each worker makes its own.
            self._endpoint = Endpoint(of.settings, of.port, of.sockets, tls.context_of(of.settings))
        predecessor = None
        if self._server is not None:
            if self._server.generations.full:
                raise FindingsError([_FULL])
            predecessor = self._server.generations.current
        return await self._assignment.service.build(number, predecessor)

    def _swap(self, generation: Generation) -> None:
        if self._server is not None:
            self._server.generations.swap(generation)
            self._tell(Serving())
        elif not self._first.done():
            self._first.set_result(generation)

    async def _serve(self, generation: Generation, endpoint: Endpoint) -> None:
        service = self._assignment.service
        self._server = service.server(generation)
        engine = table.ENGINES[self._assignment.engine].load()
        try:
            await engine(
                service.app(self._server),
                endpoint,
                on_ready=lambda: self._tell(Serving()),
                stop=self._stopped,
            )
        finally:
            await self._server.generations.aclose()

    async def _stopped(self) -> None:
        await self._stop.wait()
        self._tell(Leaving())
        if self._server is not None:
            self._server.stop(self._assignment.settings.grace)
