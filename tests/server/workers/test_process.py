"""A process as its supervisor sees it, from its start to its end."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest
from support.serving import GUARD

from dynconnect.live.inputs import Inputs
from dynconnect.server.engines.settings import Settings
from dynconnect.server.service import Service
from dynconnect.server.workers import process
from dynconnect.server.workers.messages import Abort, Prepare
from dynconnect.server.workers.process import WorkerProcess
from dynconnect.server.workers.worker import Assignment


def started(number, begin):
    """A worker that only does *begin*."""
    assignment = Assignment(Service(Inputs(())), "hypercorn", Settings(), 0, (), begin, print)
    return WorkerProcess(number, assignment)


async def test_its_end_answers_what_it_is_asked_and_is_told_in_words():
    async with asyncio.timeout(GUARD):
        worker = started(5, os._exit)
        assert str(worker).startswith("worker 5 (pid ")
        assert await worker.ask(Prepare(1)) is None
    assert worker.gone.is_set()
    assert worker.fate == "ended with exit code 5"


async def test_what_it_is_told_after_its_end_is_no_error():
    async with asyncio.timeout(GUARD):
        worker = started(5, os._exit)
        await worker.ended
        assert await worker.ask(Prepare(1)) is None
    worker.tell(Abort())
    worker.stop()
    worker.kill()
    assert worker.ended.result() == 5


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGABRT, "SIGABRT"), (signal.SIGRTMIN + 1, f"signal {signal.SIGRTMIN + 1}")]
)
async def test_a_signal_that_ended_it_is_named(number, name):
    async with asyncio.timeout(GUARD):
        worker = started(number, signal.raise_signal)
        await worker.ended
    assert worker.fate == f"was killed by {name}"


async def test_one_that_never_served_has_no_calls_to_wait_for():
    async with asyncio.timeout(GUARD):
        worker = started(600, time.sleep)
        worker.stop()
        assert await worker.ended == -signal.SIGKILL


async def test_where_there_are_no_process_descriptors_its_end_is_seen_too(monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    async with asyncio.timeout(GUARD):
        worker = started(5, os._exit)
        assert await worker.ended == 5


async def test_signals_to_stop_wait_while_a_process_starts():
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, heard.set)
    with process._blocked():
        # To this thread: another one that runs in this process may take what is sent to the process.
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        assert signal.SIGTERM in signal.sigpending()
    async with asyncio.timeout(GUARD):
        await heard.wait()
    loop.remove_signal_handler(signal.SIGTERM)
    assert signal.SIGTERM not in signal.sigpending()
