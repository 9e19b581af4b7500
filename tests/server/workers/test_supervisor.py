"""What a supervisor says to its workers, and when: with workers that answer by a script."""

from __future__ import annotations

import asyncio
import errno
import logging

import pytest
from support.serving import GUARD

from dynconnect.live import news
from dynconnect.live.comparison import Comparison
from dynconnect.schema.breaking import Breaking, Level
from dynconnect.schema.finding import Finding, FindingsError
from dynconnect.server.engines.settings import StartError
from dynconnect.server.workers import supervisor
from dynconnect.server.workers.messages import Abort, Announce, Commit, Prepare, Prepared, Refused, Serving
from dynconnect.server.workers.supervisor import AGREE_MAX, RESTART_DELAY_MAX, Supervisor

FAULT = Finding("a.py:1", "is wrong")
DIES = None
NO_PROCESS = ()


class Scripted:
    """A worker that answers each `Prepare` with the next of *replies*, over and over."""

    def __init__(self, number, replies):
        self.number = number
        self.replies = replies
        self.orders = []
        self.serving = False
        self.gone = asyncio.Event()
        self.ended = asyncio.get_running_loop().create_future()
        self.fate = "ended with exit code 3"

    def __str__(self):
        return f"worker {self.number}"

    async def ask(self, order):
        self.orders.append(order)
        if self.ended.done():
            return None
        if order == Commit():
            return Serving()
        self.replies = [*self.replies[1:], self.replies[0]]
        if self.replies[-1] is DIES:
            self.end(3)
        return self.replies[-1]

    def tell(self, order):
        self.orders.append(order)

    def stop(self):
        self.end(0)

    def kill(self):
        self.end(-9)

    def end(self, code):
        if not self.ended.done():
            self.ended.set_result(code)
            self.gone.set()


class Fleet:
    """A supervisor whose workers answer by *scripts*, one for each start, the last one for all others too."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.workers = []
        self.news = []
        self._spawned = asyncio.Event()
        self.supervisor = Supervisor(self.spawn, self.news.append)

    def spawn(self, number):
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if script is NO_PROCESS:
            raise BlockingIOError(errno.EAGAIN, "try again")
        worker = Scripted(number, script)
        self.workers.append(worker)
        self._spawned.set()
        return worker

    async def reaches(self, count):
        """Wait until as many workers were started, and for what follows."""
        async with asyncio.timeout(GUARD):
            while len(self.workers) < count:
                self._spawned.clear()
                await self._spawned.wait()
        await settle()

    @property
    def orders(self):
        return [worker.orders for worker in self.workers]


async def settle():
    """Let everything run that can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def started(fleet, count=2):
    """The task of its supervisor, once its workers serve."""
    running = asyncio.create_task(fleet.supervisor.run(count))
    await settle()
    return running


async def cancelled(running):
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


A, B = Prepared("a"), Prepared("b")


async def test_all_prepare_before_any_serves_and_one_announces():
    fleet = Fleet([A])
    running = await started(fleet, 3)
    assert fleet.orders == [[Prepare(1), Commit(), Announce()], *[[Prepare(1), Commit()]] * 2]
    await cancelled(running)


async def test_all_build_again_when_one_found_other_files(caplog):
    fleet = Fleet([A, B], [B])
    running = await started(fleet)
    assert fleet.orders[1] == [Prepare(1), Prepare(1), Commit()]
    assert "files changed while workers loaded them" in caplog.text
    await cancelled(running)


async def test_files_that_never_stand_still_are_given_up():
    fleet = Fleet([A], [B])
    with pytest.raises(StartError, match="files change faster than all workers load them"):
        await fleet.supervisor.run(2)
    assert fleet.orders == [[Prepare(1)] * AGREE_MAX + [Abort()]] * 2


REFUSALS = [
    pytest.param([Refused((FAULT,))], [A], "a.py:1: is wrong", [1, 0], id="the first one refuses"),
    pytest.param([A], [Refused((FAULT,))], "a.py:1: is wrong", [1, 1], id="another one refuses"),
    pytest.param([DIES], [A], "worker 1: ended with exit code 3 while", [1, 0], id="the first one dies"),
    pytest.param([A], [DIES], "worker 2: ended with exit code 3 while", [1, 1], id="another one dies"),
]


@pytest.mark.parametrize(("first", "second", "text", "prepared"), REFUSALS)
async def test_nothing_is_served_unless_all_can(first, second, text, prepared):
    fleet = Fleet(first, second)
    with pytest.raises(FindingsError, match=text):
        await fleet.supervisor.run(2)
    assert fleet.orders == [[Prepare(1)] * count + [Abort()] for count in prepared]


@pytest.mark.parametrize(("first", "second", "text", "prepared"), REFUSALS)
async def test_a_reload_is_for_all_or_for_none(first, second, text, prepared):
    fleet = Fleet([A, *first], [A, *second])
    running = await started(fleet)
    before = [len(orders) for orders in fleet.orders]
    fleet.supervisor.request_reload()
    await settle()
    (told,) = fleet.news
    assert isinstance(told, news.Refused)
    assert str(told.findings[0]).startswith(text)
    after = [orders[at:] for orders, at in zip(fleet.orders, before, strict=False)]
    assert after == [[Prepare(2)] * count + [Abort()] for count in prepared]
    await cancelled(running)


BREAKS = Prepared(
    "b", Comparison(("Note changed",), (Breaking(Level.WIRE, "X", "Note", "is gone", "a.proto:1"),))
)


async def test_what_changes_and_breaks_is_told():
    fleet = Fleet([A, BREAKS])
    running = await started(fleet)
    fleet.supervisor.request_reload()
    await settle()
    (told,) = fleet.news
    assert (told.number, told.changes, told.breaking) == (
        2,
        BREAKS.comparison.changes,
        BREAKS.comparison.breaking,
    )
    await cancelled(running)


async def test_what_breaks_is_refused_before_others_build_it():
    fleet = Fleet([A, BREAKS])
    fleet.supervisor = Supervisor(fleet.spawn, fleet.news.append, refuse_breaking=True)
    running = await started(fleet)
    fleet.supervisor.request_reload()
    await settle()
    assert [orders[-2:] for orders in fleet.orders] == [[Prepare(2), Abort()], [Commit(), Abort()]]
    assert "Note is gone" in str(fleet.news[0].findings[0])
    await cancelled(running)


async def test_reloads_that_are_asked_for_during_one_make_one_more():
    fleet = Fleet([A])
    running = await started(fleet)
    fleet.supervisor.request_reload()
    await asyncio.sleep(0)
    fleet.supervisor.request_reload()
    fleet.supervisor.request_reload()
    await settle()
    assert fleet.orders[1] == [order for number in (1, 2, 3) for order in (Prepare(number), Commit())]
    await cancelled(running)


async def test_a_reload_while_nothing_serves_waits_for_who_starts_next():
    fleet = Fleet([A])
    await fleet.supervisor._reload()
    assert fleet.workers == []


async def test_who_replaces_another_is_asked_for_the_same_number(caplog):
    caplog.set_level(logging.INFO)
    fleet = Fleet([A])
    running = await started(fleet)
    fleet.workers[0].end(-9)
    await settle()
    assert [worker.number for worker in fleet.workers] == [1, 2, 1]
    assert fleet.orders[2] == [Prepare(1), Commit()]
    assert caplog.messages == ["worker 1 ended with exit code 3", "worker 1 serves"]
    await cancelled(running)


OTHERS = [
    pytest.param([B], "can't serve generation 1, as files have changed", id="other files"),
    pytest.param([Refused((FAULT,))], "can't load what is served: a.py:1: is wrong", id="findings"),
    pytest.param([DIES], "ended with exit code 3", id="dies"),
]


@pytest.mark.parametrize(("script", "text"), OTHERS)
async def test_who_can_not_serve_the_same_is_tried_again_and_never_serves(monkeypatch, caplog, script, text):
    monkeypatch.setattr(supervisor, "RESTART_DELAY", 0)
    fleet = Fleet([A], [A], script, script, [A])
    running = await started(fleet)
    fleet.workers[0].end(-9)
    await fleet.reaches(5)
    assert [worker.serving for worker in fleet.workers] == [True, True, False, False, True]
    assert all(worker.ended.done() for worker in fleet.workers[2:4])
    assert sum(text in message for message in caplog.messages) >= 2
    await cancelled(running)


async def test_when_none_serves_the_number_of_attempts_is_bounded(monkeypatch):
    monkeypatch.setattr(supervisor, "RESTART_DELAY", 0)
    fleet = Fleet([A], [DIES])
    running = await started(fleet, 1)
    fleet.workers[0].end(-9)
    with pytest.raises(StartError, match="no worker can be started any more"):
        await running
    assert len(fleet.workers) == 1 + supervisor.RESTARTS_MAX


async def test_as_long_as_another_one_serves_it_is_never_given_up(monkeypatch):
    monkeypatch.setattr(supervisor, "RESTART_DELAY", 0)
    fleet = Fleet([A], [A], [DIES])
    running = await started(fleet)
    fleet.workers[0].end(-9)
    await fleet.reaches(3 * supervisor.RESTARTS_MAX)
    assert not running.done()
    await cancelled(running)


async def test_a_process_that_the_system_does_not_start_is_tried_again_later(monkeypatch, caplog):
    monkeypatch.setattr(supervisor, "RESTART_DELAY", 0)
    fleet = Fleet([A], [A], NO_PROCESS, [A])
    running = await started(fleet)
    fleet.workers[0].end(-9)
    await fleet.reaches(3)
    assert [worker.serving for worker in fleet.workers] == [True, True, True]
    assert "worker 1: the system starts no process: try again; ask for fewer --workers" in caplog.messages
    await cancelled(running)


async def test_at_the_start_that_is_said_and_ends_it():
    with pytest.raises(StartError, match="worker 2: the system starts no process"):
        await Fleet([A], NO_PROCESS).supervisor.run(2)


@pytest.mark.parametrize(
    ("short_lives", "seconds"), [(0, 0.0), (1, 0.0), (2, 0.25), (3, 0.5), (4, 1.0), (99, RESTART_DELAY_MAX)]
)
def test_what_ends_again_and_again_is_started_ever_later(short_lives, seconds):
    assert supervisor._delay(short_lives) == seconds


async def test_a_stop_waits_for_all_and_then_kills(caplog):
    fleet = Fleet([A])
    running = await started(fleet)
    await cancelled(running)
    fleet.workers[1].stop = lambda: None
    await fleet.supervisor.stop(0)
    assert [worker.ended.result() for worker in fleet.workers] == [0, -9]
    assert caplog.messages == ["worker 2 does not end: it is killed"]
