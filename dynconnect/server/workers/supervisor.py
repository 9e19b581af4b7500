"""The supervisor of worker processes: it starts them, replaces those that end, reloads and stops all.

SIGINT and SIGTERM stop them in peace, and a second one at once. SIGHUP reloads: the files as they are
now serve, or every reason against that is said and the old ones go on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from dynconnect.live import news
from dynconnect.live.news import News
from dynconnect.schema.finding import Finding, FindingsError
from dynconnect.server.engines.endpoint import Endpoint
from dynconnect.server.engines.run import END_TIMEOUT, STOP_SIGNALS
from dynconnect.server.engines.settings import StartError
from dynconnect.server.workers.messages import Abort, Announce, Commit, Prepare, Prepared, Refused, Serving
from dynconnect.server.workers.process import Reply, WorkerProcess
from dynconnect.server.workers.worker import Assignment

log = logging.getLogger(__name__)

AGREE_MAX = 4
"""How often all build again because files changed while they did, before that is given up."""
STEADY = 10.0
"""Seconds that a worker must have served for its successor to be started at once."""
RESTART_DELAY = 0.25
"""Seconds before a successor of a worker that served shorter; doubled each time,"""
RESTART_DELAY_MAX = 30.0
"""up to this: what ends again and again must not take the machine with it."""
RESTARTS_MAX = 5
"""How often starting a worker may fail in a row while no other serves, before all is given up."""
KILL_AFTER = 1.0
"""Seconds after the time by which a worker should have ended itself."""


def supervise(
    workers: int,
    assignment: Assignment,
    endpoint: Endpoint,
    *,
    refuse_breaking: bool,
    tell: Callable[[News], object],
) -> None:
    """Serve by as many *workers* at *endpoint* until SIGINT or SIGTERM.

    Args:
        workers: at least one.
        assignment: what each of them does.
        endpoint: its sockets are closed at the end.
        refuse_breaking: refuse a reload that breaks callers, on the wire or in JSON; else it is only told.
        tell: hears what came of each reload.

    Raises:
        FindingsError: nothing can be served as it is, or no worker can be started any more.
    """
    # Workers share the sockets, and each accepts when it has time. A socket for each (SO_REUSEPORT)
    # would spread a burst better: of 200 connections at once, two workers got 95 and 105 in the mean,
    # and of shared sockets 69 and 131 (one by one 84 and 116). But a worker's end would reset what
    # waits in its own queue, and a second server could take the same port without a word.
    supervisor = Supervisor(
        lambda number: WorkerProcess(number, assignment), tell, refuse_breaking=refuse_breaking
    )
    asyncio.run(_supervise(supervisor, workers, endpoint))


async def _supervise(supervisor: Supervisor, workers: int, endpoint: Endpoint) -> None:
    stop = asyncio.Event()
    with _signals(stop, supervisor):
        working = asyncio.create_task(supervisor.run(workers))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
            endpoint.close()
            await supervisor.stop(endpoint.settings.grace + END_TIMEOUT + KILL_AFTER)


@contextmanager
def _signals(stop: asyncio.Event, supervisor: Supervisor) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        if not stop.is_set():
            stop.set()
            return
        supervisor.kill()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGHUP, supervisor.request_reload)
    try:
        yield
    finally:
        for number in (*STOP_SIGNALS, signal.SIGHUP):
            loop.remove_signal_handler(number)


class Supervisor:
    """A number of workers, and the generation that they serve.

    Args:
        spawn: starts the process of a worker's number.
        tell: hears what came of each reload.
        refuse_breaking: refuse what breaks callers, on the wire or in JSON.
    """

    def __init__(
        self,
        spawn: Callable[[int], WorkerProcess],
        tell: Callable[[News], object],
        *,
        refuse_breaking: bool = False,
    ) -> None:
        self._spawn = spawn
        self._tell = tell
        self._refuse_breaking = refuse_breaking
        self._workers: set[WorkerProcess] = set()  # that have not ended
        self._generation = 1
        self._hash = ""
        self._changing = asyncio.Lock()  # which generation serves, or who does
        self._reload_wanted = asyncio.Event()

    async def run(self, workers: int) -> None:
        """Start as many *workers*, and keep them running until cancelled.

        Raises:
            FindingsError: they can't be started, or replaced.
        """
        started = await self._start(workers)
        tasks = [asyncio.create_task(self._keep(worker)) for worker in started]
        tasks.append(asyncio.create_task(self._reload_on_request()))
        try:
            # None of them ends but by an error.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def request_reload(self) -> None:
        """Load the files anew."""
        self._reload_wanted.set()

    async def stop(self, grace: float) -> None:
        """Let all workers end their calls; after *grace* seconds, kill those that still run."""
        ends = [worker.ended for worker in self._workers]
        for worker in self._workers:
            worker.stop()
        if ends:
            await asyncio.wait(ends, timeout=grace)
        for worker in self._workers:
            if not worker.ended.done():
                log.warning("%s does not end: it is killed", worker)
        self.kill()
        await asyncio.gather(*ends)

    def kill(self) -> None:
        """End all workers at once."""
        for worker in self._workers:
            worker.kill()

    # --- one generation for all -----------------------------------------------------------------------------

    async def _start(self, workers: int) -> list[WorkerProcess]:
        async with self._changing:
            started = [self._new(number) for number in range(1, workers + 1)]
            self._hash = (await self._agree(started, self._generation)).hash
            await self._commit(started)
        for worker in self._serving()[:1]:
            worker.tell(Announce())
        return started

    async def _agree(self, workers: Sequence[WorkerProcess], number: int) -> Prepared:
        """Have the generation *number* prepared by all *workers*; what they all have.

        Raises:
            FindingsError: it can't be built, or not by all, or it is refused; none of them has it then.
        """
        # One is first: a plugin that brings down its process is to bring down no more than one.
        first, *others = workers
        try:
            for _ in range(AGREE_MAX):
                found = _prepared(first, await first.ask(Prepare(number)))
                if self._refuse_breaking and (findings := found.comparison.refusal()):
                    raise FindingsError(findings)
                replies = await asyncio.gather(*(worker.ask(Prepare(number)) for worker in others))
                if {found.hash} >= {_prepared(*each).hash for each in zip(others, replies, strict=True)}:
                    return found
                log.warning("files changed while workers loaded them: they load them again")
            hint = "wait until they are complete, and try again"
            raise StartError([Finding("--workers", "files change faster than all workers load them", hint)])
        except FindingsError:
            for worker in workers:
                worker.tell(Abort())
            raise

    async def _commit(self, workers: Sequence[WorkerProcess]) -> None:
        """Let *workers* serve what they have prepared. One that ends instead is `_keep`'s to replace."""
        replies = await asyncio.gather(*(worker.ask(Commit()) for worker in workers))
        for worker, reply in zip(workers, replies, strict=True):
            worker.serving |= isinstance(reply, Serving)

    async def _reload_on_request(self) -> None:
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            async with self._changing:
                await self._reload()

    async def _reload(self) -> None:
        workers = self._serving()
        if not workers:
            return  # whoever starts next loads the files as they are
        began = asyncio.get_running_loop().time()
        try:
            found = await self._agree(workers, self._generation + 1)
        except FindingsError as exc:
            self._tell(news.Refused(self._generation, exc.findings))
            return
        self._generation, self._hash = self._generation + 1, found.hash
        await self._commit(workers)
        seconds = asyncio.get_running_loop().time() - began
        changes, breaking = found.comparison.changes, found.comparison.breaking
        self._tell(news.Swapped(self._generation, (), changes, breaking, seconds))

    # --- those that end -------------------------------------------------------------------------------------

    def _new(self, number: int) -> WorkerProcess:
        try:
            worker = self._spawn(number)
        except OSError as exc:
            what = f"the system starts no process: {exc.strerror or exc}"
            raise StartError([Finding(f"worker {number}", what, "ask for fewer --workers")]) from exc
        self._workers.add(worker)
        worker.ended.add_done_callback(lambda _: self._workers.discard(worker))
        return worker

    def _serving(self) -> list[WorkerProcess]:
        found = [worker for worker in self._workers if worker.serving and not worker.gone.is_set()]
        return sorted(found, key=lambda worker: worker.number)

    async def _keep(self, worker: WorkerProcess) -> None:
        """Replace *worker* when it goes, and so on.

        Raises:
            StartError: no worker can be started any more.
        """
        loop = asyncio.get_running_loop()
        short_lives = 0
        while True:
            began = loop.time()
            await worker.gone.wait()
            _log_end(worker)
            short_lives = 0 if loop.time() - began >= STEADY else short_lives + 1
            worker = await self._replace(worker.number, short_lives)

    async def _replace(self, number: int, short_lives: int) -> WorkerProcess:
        for failures in count():
            if failures >= RESTARTS_MAX and not self._serving():
                hint = "the log says why each of them ended"
                raise StartError([Finding("--workers", "no worker can be started any more", hint)])
            await asyncio.sleep(_delay(short_lives + failures))
            try:
                worker = self._new(number)
            except StartError as exc:
                log.error("%s", exc)
                continue
            if await self._enlist(worker):
                log.info("%s serves", worker)
                break
            worker.kill()
        return worker

    async def _enlist(self, worker: WorkerProcess) -> bool:
        """Let *worker* serve what the others serve; False if it can't."""
        async with self._changing:
            alone = not self._serving()
            # With none left to agree with, it begins another generation.
            self._generation += alone
            match await worker.ask(Prepare(self._generation)):
                case Prepared(hash=content) if alone or content == self._hash:
                    self._hash = content
                    await self._commit([worker])
                case Prepared():
                    log.warning(
                        "%s can't serve generation %d, as files have changed: SIGHUP loads them",
                        worker,
                        self._generation,
                    )
                case Refused(findings):
                    log.warning("%s can't load what is served: %s", worker, findings[0])
                case _:
                    _log_end(worker)
        return worker.serving


def _prepared(worker: WorkerProcess, reply: Reply) -> Prepared:
    match reply:
        case Prepared():
            return reply
        case Refused(findings):
            raise FindingsError(findings)
        case _:
            hint = "look for what ends the process when plugins are imported"
            raise StartError([Finding(str(worker), f"{worker.fate} while it loaded", hint)])


def _log_end(worker: WorkerProcess) -> None:
    if not worker.ended.done():
        log.info("%s was told to stop: another takes its place", worker)
    elif worker.ended.result() != 0:
        log.error("%s %s", worker, worker.fate)
    else:
        log.warning("%s ended", worker)


def _delay(short_lives: int) -> float:
    """Seconds before the next start, after so many lives that were too short."""
    # The first is an accident.
    return 0.0 if short_lives <= 1 else min(RESTART_DELAY * 2.0 ** (short_lives - 2), RESTART_DELAY_MAX)
