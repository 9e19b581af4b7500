from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from support.clock import settle, virtual_time

from dynconnect.server.cancel_scope import CancelScope


@pytest.fixture(autouse=True)
async def clock():
    with virtual_time() as clock:
        yield clock


def cancels():
    return asyncio.current_task().cancelling()


async def test_a_stage_that_ends_in_time_is_left_alone():
    scope = CancelScope()
    with scope.within(1):
        await asyncio.sleep(0.5)
    await asyncio.sleep(5)
    assert (scope.expired, cancels()) == (False, 0)


async def test_a_stage_that_runs_out_of_time_ends_quietly_on_time(clock):
    scope, began = CancelScope(), clock.now
    with scope.within(1):
        await asyncio.sleep(5)
    assert clock.now - began == pytest.approx(1)
    assert (scope.expired, cancels()) == (True, 0)


async def test_a_stage_without_a_limit_has_no_timer(clock):
    scope = CancelScope()
    with scope.within(None):
        await asyncio.sleep(10**6)
    assert not scope.expired


async def test_the_next_stage_begins_afresh():
    scope = CancelScope()
    with scope.within(1):
        await asyncio.sleep(5)
    with scope.within(10):
        await asyncio.sleep(5)
    assert not scope.expired


async def test_work_that_will_not_hear_of_it_is_out_of_time_all_the_same():
    scope = CancelScope()
    with scope.within(1), suppress(asyncio.CancelledError):
        await asyncio.sleep(5)
    assert (scope.expired, cancels()) == (True, 0)


@pytest.mark.parametrize("exc", [ValueError, TimeoutError])
async def test_what_the_work_raises_instead_passes_through(exc):
    async def fail_late():
        try:
            await asyncio.sleep(5)
        finally:
            raise exc

    scope = CancelScope()
    with pytest.raises(exc), scope.within(1):
        await fail_late()
    assert (scope.expired, cancels()) == (True, 0)


async def test_cancel_ends_the_stage_with_cancelled_error_and_leaves_no_trace():
    scope = CancelScope()
    asyncio.get_running_loop().call_soon(scope.cancel)
    with pytest.raises(asyncio.CancelledError), scope.within(1):
        await asyncio.sleep(5)
    assert (scope.expired, scope.cancelled_by_others, cancels()) == (False, False, 0)


async def test_cancel_between_stages_does_nothing():
    scope = CancelScope()
    scope.cancel()
    with scope.within(1):
        pass
    scope.cancel()
    await settle()
    assert cancels() == 0


@pytest.mark.parametrize("first", ["the deadline", "the client"])
async def test_t6_clean_up_is_not_cancelled_a_second_time(first, clock):
    scope, cleaned_up = CancelScope(), False
    loop = asyncio.get_running_loop()
    loop.call_at(clock.now + (1.5 if first == "the deadline" else 0.5), scope.cancel)
    try:
        with scope.within(1):
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(10)
                cleaned_up = True
    except asyncio.CancelledError:
        assert first == "the client"
    assert cleaned_up
    assert scope.expired == (first == "the deadline")


@pytest.mark.parametrize("also", ["nothing", "the deadline", "the client"])
async def test_the_cancellation_of_another_passes_through(also):
    scopes = []

    async def work():
        scope = CancelScope()
        scopes.append(scope)
        try:
            with scope.within(1 if also == "the deadline" else None):
                try:
                    await asyncio.sleep(60)
                finally:
                    await asyncio.sleep(2)
        finally:
            assert scope.cancelled_by_others

    task = asyncio.create_task(work())
    await settle()
    task.cancel()
    if also == "the client":
        scopes[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == 1


async def test_a_cancellation_from_before_the_scope_is_nobodys_in_it():
    async def work():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            scope = CancelScope()
            with scope.within(1):
                await asyncio.sleep(60)
            assert scope.expired
            assert not scope.cancelled_by_others
            raise

    task = asyncio.create_task(work())
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_time_out_inside_a_stage_is_its_own():
    scope = CancelScope()
    with scope.within(10):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.sleep(60)
        assert not scope.expired
        await asyncio.sleep(60)
    assert scope.expired
