"""The two ways of one call, against a server and a client in memory."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest
from support.asgi import Request
from support.clock import settle, virtual_time

from dynconnect.rpc.limits import Limits
from dynconnect.server.asgi_call import Answer, Body
from dynconnect.wire.events import Response

LIMITS = Limits(buffer_max_bytes=35, drain_max_bytes=100, drain_timeout=2.0, write_timeout=5.0)
HEAD = Response(200, (("content-type", "text/x"),))


@pytest.fixture(autouse=True)
async def clock():
    with virtual_time() as clock:
        yield clock


@pytest.fixture
def client():
    return Request(None, {})


def new_body(receive):
    """A body; its `gone` notes when the call is told that the client has gone.

    It is watched whenever a test pauses, as if that were the call.
    """
    body = Body(receive, LIMITS)
    loop, read = asyncio.get_running_loop(), body.read

    async def read_and_watch():
        try:
            return await read()
        finally:
            loop.call_soon(body.watch)

    body.read = read_and_watch
    loop.call_soon(body.watch)
    body.gone = []
    cancel = body.scope.cancel
    body.scope = SimpleNamespace(cancel=lambda: (body.gone.append(True), cancel()), within=body.scope.within)
    return body


@pytest.fixture
async def body(client):
    body = new_body(client.receive)
    yield body
    await body.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}, "T7"


@pytest.fixture
def answer(client, body):
    return Answer(client.send, body, LIMITS, drains=True)


@pytest.fixture
def eager(client, body):
    """The answer on a server that copes with early ones."""
    return Answer(client.send, body, LIMITS, drains=False)


# The request's body.


async def test_pieces_come_in_order_and_then_the_end_for_ever(client, body):
    client.push(b"a").push(b"").push(b"bc").end(b"d")
    assert [await body.read() for _ in range(5)] == [b"a", b"bc", b"d", None, None]


async def test_a_message_may_leave_out_what_is_empty():
    async def receive():
        return {"type": "http.request"}

    body = new_body(receive)
    assert await body.read() is None
    await body.close()


async def test_a1_a_call_that_never_waits_needs_no_task(client):
    client.push(b"a").end(b"b")
    before = asyncio.all_tasks()
    body = new_body(client.receive)
    assert [await body.read() for _ in range(3)] == [b"a", b"b", None]
    assert asyncio.all_tasks() == before
    await body.close()
    await settle()
    assert asyncio.all_tasks() == before


async def test_a1_a_call_that_waits_for_its_client_needs_no_task(client):
    async def call():
        body = new_body(client.receive)
        try:
            return await body.read()
        finally:
            await body.close()

    calling = asyncio.ensure_future(call())
    await client.until(lambda: client.asking)
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task(), calling}
    client.push(b"a")
    assert await calling == b"a"


async def test_a1_while_the_call_waits_for_something_else_a_task_receives(client, body):
    await client.until(lambda: client.asking)
    client.push(b"a").end(b"b")
    await client.until(lambda: client.taken == 2)
    await client.until(lambda: client.asking)  # for the news that the client has gone
    assert [await body.read() for _ in range(3)] == [b"a", b"b", None]


async def test_a1_the_task_takes_over_after_the_call_has_waited_and_read(client):
    body = new_body(client.receive)
    asyncio.get_running_loop().call_soon(client.push, b"a")
    assert await body.read() == b"a"
    await client.until(lambda: client.asking)
    client.disconnect()
    await settle()
    assert body.gone == [True]
    await body.close()


async def test_a2_a_call_that_does_not_read_buffers_so_much_and_no_more(client, body):
    for _ in range(10):
        client.push(b"x" * 10)
    await settle()
    assert client.taken == 40, "the first piece above 35 bytes, and then no other"
    assert not client.asking


async def test_a2_reading_makes_room_for_more(client, body):
    for _ in range(10):
        client.push(b"x" * 10)
    await settle()
    read = [await body.read()]
    await settle()
    assert client.taken == 50
    client.end()
    while piece := await body.read():
        read.append(piece)
    assert len(read) == 10


async def test_k15_a_call_that_waits_to_send_does_not_hold_up_what_is_received(client, body, answer):
    client.hold()
    sending = asyncio.ensure_future(answer([HEAD]))
    await client.until(lambda: client.holding)
    client.push(b"a").end()
    await client.until(lambda: client.taken == 1)
    client.release()
    await sending


async def test_a_read_that_is_cancelled_loses_nothing(client, body):
    for letter in (b"a", b"b", b"c"):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(body.read(), 0.1)
        client.push(letter)
        assert await body.read() == letter


async def test_each_piece_goes_to_one_of_two_readers(client, body):
    readers = [asyncio.ensure_future(body.read()) for _ in range(2)]
    await settle()
    client.push(b"a")
    await settle()
    client.push(b"b")
    assert await asyncio.gather(*readers) == [b"a", b"b"]


async def test_a_second_reader_goes_on_when_the_first_gives_up(client, body):
    first, second = (asyncio.ensure_future(body.read()) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    client.push(b"a")
    assert await second == b"a"


@pytest.mark.parametrize("ended", [False, True])
async def test_t6_the_news_that_the_client_has_gone_comes_once(client, body, ended):
    if ended:
        client.end()
    await client.until(lambda: client.asking)
    client.disconnect()
    await settle()
    assert body.disconnected
    assert body.gone == [True]


async def test_t6_who_reads_from_a_client_that_has_gone_is_cancelled_each_time(client, body):
    reading = asyncio.ensure_future(body.read())
    await settle()
    client.disconnect()
    for read in (reading, body.read(), body.read()):
        with pytest.raises(asyncio.CancelledError):
            await read
    assert body.gone == [True]


@pytest.mark.parametrize("exc", [OSError("reset"), RuntimeError("closed"), KeyError(1)])
@pytest.mark.parametrize("here", [False, True], ids=["in the task", "in the call"])
async def test_a10_a_receive_that_raises_means_that_the_client_has_gone(exc, here, caplog):
    caplog.set_level(logging.INFO)

    async def receive():
        raise exc

    body = new_body(receive)
    if here:
        with pytest.raises(asyncio.CancelledError):
            await body.read()
    await settle()
    assert body.gone == [True]
    assert not caplog.records
    await body.close()


async def test_t7_whoever_still_reads_when_the_call_is_over_finds_the_end(client, body):
    waiting = asyncio.ensure_future(body.read())
    await settle()
    await body.close()
    assert await waiting is None
    assert await body.read() is None


async def test_t7_whoever_still_receives_when_the_call_is_over_finds_the_end_then(client):
    body = new_body(client.receive)
    orphan = asyncio.ensure_future(body.read())
    asyncio.get_running_loop().call_soon(client.push, b"a")
    assert await body.read() == b"a"
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task(), orphan}, "the orphan receives, no other task does"
    await body.close()
    client.push(b"late")
    assert await orphan is None
    client.disconnect()
    await settle()
    assert body.gone == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_t7_closing_ends_the_task_and_tells_nobody_of_a_client_that_goes_then(client, body):
    await client.until(lambda: client.asking)
    client.disconnect()
    await body.close()
    assert body.gone == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


# Draining.


async def test_a8_draining_waits_for_the_end_of_the_body(client, body):
    draining = asyncio.ensure_future(body.drain())
    client.push(b"a" * 50)
    await settle()
    assert not draining.done()
    client.end()
    await draining
    assert await body.read() is None


async def test_a8_draining_a_body_that_has_ended_costs_nothing(client, body, clock):
    client.end(b"a")
    await body.read()
    before, began = asyncio.all_tasks(), clock.now
    await body.drain()
    assert (asyncio.all_tasks(), clock.now) == (before, began)


async def test_a8_draining_drops_what_was_read_ahead_and_lets_the_task_go_on(client, body):
    for _ in range(10):
        client.push(b"x" * 10)
    await settle()
    assert client.taken == 40
    draining = asyncio.ensure_future(body.drain())
    await settle()
    assert client.taken == 100
    client.end()
    await draining
    assert await body.read() is None


async def test_a8_draining_is_bounded_in_time(body, clock):
    began = clock.now
    await body.drain()
    assert clock.now - began == pytest.approx(LIMITS.drain_timeout)


async def test_a8_draining_is_bounded_in_bytes(client, body, clock):
    began = clock.now
    for _ in range(11):
        client.push(b"x" * 10)
    await body.drain()
    assert clock.now == began


async def test_a8_the_bounds_are_for_the_whole_call(client, body, clock):
    began = clock.now
    await body.drain()
    await body.drain()
    assert clock.now - began == pytest.approx(LIMITS.drain_timeout)


async def test_a1_after_draining_the_task_discards_and_never_stops(client, body):
    await body.drain()
    for _ in range(100):
        client.push(b"x" * 10)
    await client.until(lambda: client.taken == 1000)


async def test_a8_draining_ends_when_the_client_goes(client, body, clock):
    began = clock.now
    draining = asyncio.ensure_future(body.drain())
    await settle()
    client.disconnect()
    await draining
    assert clock.now == began
