"""Awaiting with an eye on the pauses."""

from __future__ import annotations

import asyncio

import pytest

from dynconnect.server.stepped import stepped


@pytest.fixture
def pauses():
    return []


async def test_work_that_never_waits_has_no_pauses(pauses):
    async def work():
        pass

    await stepped(work(), lambda: pauses.append(None))
    assert pauses == []


async def test_each_pause_is_told_when_it_begins(pauses):
    future = asyncio.get_running_loop().create_future()
    seen = []

    async def work():
        await asyncio.sleep(0)
        seen.append(await future)

    task = asyncio.ensure_future(stepped(work(), lambda: pauses.append(len(seen))))
    await asyncio.sleep(0)
    assert pauses == [0]
    await asyncio.sleep(0)
    assert pauses == [0, 0]
    future.set_result("given")
    await task
    assert (pauses, seen) == ([0, 0], ["given"])


async def test_what_the_work_raises_comes_out(pauses):
    async def work():
        await asyncio.sleep(0)
        raise LookupError("in the work")

    with pytest.raises(LookupError, match="in the work"):
        await stepped(work(), lambda: pauses.append(None))


async def test_a_cancellation_reaches_the_work_which_may_go_on(pauses):
    seen = []

    async def work():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("tidied up")
            raise

    task = asyncio.ensure_future(stepped(work(), lambda: pauses.append(None)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (seen, len(pauses)) == (["tidied up"], 2)


async def test_the_exception_of_what_is_awaited_reaches_the_work(pauses):
    future = asyncio.get_running_loop().create_future()
    seen = []

    async def work():
        try:
            await future
        except OSError as exc:
            seen.append(exc)

    task = asyncio.ensure_future(stepped(work(), lambda: pauses.append(None)))
    await asyncio.sleep(0)
    failure = OSError("gone")
    future.set_exception(failure)
    await task
    assert seen == [failure]


def test_closing_closes_the_work(pauses):
    seen = []

    async def work():
        try:
            await asyncio.sleep(0)
        finally:
            seen.append("closed")

    steps = stepped(work(), lambda: pauses.append(None))
    steps.send(None)
    steps.close()
    assert seen == ["closed"]
