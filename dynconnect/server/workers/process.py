"""A worker process as its supervisor has it: started, asked, and at last seen off."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.process import BaseProcess
from typing import TypeAlias

from dynconnect.server.engines.run import STOP_SIGNALS
from dynconnect.server.workers import worker
from dynconnect.server.workers.messages import Answer, Leaving, Order

Reply: TypeAlias = Answer | None
"""None: the process has ended instead."""

_SPAWN = get_context("spawn")
_SIGNALS = {number.value: number.name for number in signal.Signals}


class WorkerProcess:
    """One worker, from its start on. It belongs to the running event loop.

    Attributes:
        number: its place among the workers, from 1; whoever replaces it has the same.
        ended: its exit code, negative for a signal, once it has one.
        gone: set once it accepts no connections any more: it leaves, or has ended.
        serving: whether it ever served.
    """

    def __init__(self, number: int, assignment: worker.Assignment) -> None:
        self.number = number
        self.serving = False
        self.gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self._replies: asyncio.Queue[Reply] = asyncio.Queue()
        self._connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(
            target=worker.main, args=(number, assignment, theirs), name=f"worker {number}"
        )
        with _blocked():
            self._process.start()
        theirs.close()
        self._end = _end_of(self._process)
        self._loop.add_reader(self._connection.fileno(), self._receive)
        self._loop.add_reader(self._end, self._reap)

    def __str__(self) -> str:
        return f"worker {self.number} (pid {self._process.pid})"

    @property
    def fate(self) -> str:
        """How it ended, in words."""
        code = self.ended.result()
        if code < 0:
            return f"was killed by {_SIGNALS.get(-code, f'signal {-code}')}"
        return f"ended with exit code {code}"

    async def ask(self, order: Order) -> Reply:
        """Its answer to *order*."""
        if self.ended.done():
            return None
        self.tell(order)
        return await self._replies.get()

    def tell(self, order: Order) -> None:
        """Order what has no answer."""
        # If it has ended, `_reap` is about to hear of it.
        with suppress(OSError):
            self._connection.send(order)

    def stop(self) -> None:
        """Let it end its calls; one that never served has none."""
        if not self.serving:
            self.kill()
        elif not self.ended.done():
            self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        if not self.ended.done():
            self._process.kill()

    def _receive(self) -> None:
        try:
            # It blocks for the rest of a message whose beginning is here: a worker writes it as a whole.
            message = self._connection.recv()
        except (OSError, EOFError):
            self._loop.remove_reader(self._connection.fileno())
            return
        if isinstance(message, Leaving):
            self.gone.set()
        else:
            self._replies.put_nowait(message)

    def _reap(self) -> None:
        self._loop.remove_reader(self._end)
        self._loop.remove_reader(self._connection.fileno())
        if self._end != self._process.sentinel:
            os.close(self._end)
        self._process.join()
        self._connection.close()
        self.ended.set_result(self._process.exitcode or 0)
        self.gone.set()
        self._replies.put_nowait(None)


@contextmanager
def _blocked() -> Iterator[None]:
    """Signals wait, in a process started meanwhile too, until it is ready for them."""
    # The first start of a process would start this as well, and let signals through at its end.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_of(process: BaseProcess) -> int:
    """A descriptor to be read once *process* has ended."""
    # The sentinel is a pipe, which a child that a plugin forked would hold open beyond that.
    if process.pid is not None and hasattr(os, "pidfd_open"):
        with suppress(OSError):
            return os.pidfd_open(process.pid)
    return process.sentinel
