"""Answers that come before their request has ended, and two sides of which one is slow."""

from __future__ import annotations

import asyncio

import pytest
from support.calls import call, serve
from support.clock import settle, virtual_time
from support.dialects import DIALECTS
from support.peer import texts

from dynconnect.rpc.limits import Limits

CONNECT, GRPC, WEB = DIALECTS
every_protocol = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@pytest.fixture(autouse=True)
async def clock():
    with virtual_time() as clock:
        yield clock
    assert asyncio.all_tasks() == {asyncio.current_task()}, "T7"


# Requests that go on when the answer is there already.


def too_large(dialect, method, **options):
    app = serve(limits=Limits(read_max_bytes=10, drain_max_bytes=200, drain_timeout=2.0))
    return call(app, dialect, method, b"\0\0\0\0\x64" + b"x" * 30, end=False, **options).start()


@every_protocol
@pytest.mark.parametrize("method", ["Echo", "Sum", "Chat"])
async def test_l3_a9_a_refusal_is_sent_at_once_where_the_server_copes(dialect, method, clock):
    began = clock.now
    request = too_large(dialect, method)
    await request.finished()
    assert (request.read().code, clock.now) == ("resource_exhausted", began)


@every_protocol
@pytest.mark.parametrize("method", ["Echo", "Sum", "Chat"])
async def test_l3_a8_elsewhere_a_refusal_is_complete_when_the_request_is(dialect, method, clock):
    began = clock.now
    request = too_large(dialect, method, early=False)
    await settle()
    assert not request.complete
    request.push(b"x" * 30).end(b"x" * 40)
    await request.finished()
    assert (request.read().code, clock.now) == ("resource_exhausted", began)


@every_protocol
@pytest.mark.parametrize("method", ["Echo", "Sum", "Chat"])
async def test_l3_a8_not_even_the_head_of_a_whole_answer_comes_before_the_request_ends(dialect, method):
    # A client that sees a head stops sending, and some then close the connection under the answer.
    request = too_large(dialect, method, early=False)
    await settle()
    assert request.sent == []
    request.end()
    await request.finished()
    assert request.read().code == "resource_exhausted"


@every_protocol
async def test_l3_a8_a_client_that_never_ends_waits_for_one_drain(dialect, clock):
    began = clock.now
    request = too_large(dialect, "Echo", early=False)
    await request.finished()
    assert request.read().code == "resource_exhausted"
    assert clock.now - began == pytest.approx(2.0)


@every_protocol
async def test_l3_a8_a_client_that_sends_without_end_is_dropped_after_so_many_bytes(dialect, clock):
    began = clock.now
    request = too_large(dialect, "Echo", early=False)
    for _ in range(20):
        request.push(b"x" * 30)
    await request.finished()
    assert (request.read().code, clock.now) == ("resource_exhausted", began)


async def test_k11_a_body_is_not_read_beyond_the_limit_before_it_is_refused():
    request = call(
        serve(limits=Limits(read_max_bytes=100)), CONNECT, "Echo", *[b"x" * 60] * 5, end=False
    ).start()
    await request.finished()
    assert (request.read().code, request.taken) == ("resource_exhausted", 120)


# Handlers that do not read, clients that do not.


@every_protocol
async def test_a1_a2_k15_a_handler_that_never_reads_holds_a_bounded_part_of_its_request(dialect):
    go_on = asyncio.Event()

    async def deaf(requests, ctx):
        yield {"text": "hello"}
        await go_on.wait()

    app = serve({"Chat": deaf}, limits=Limits(buffer_max_bytes=100))
    request = call(app, dialect, "Chat", *[b"x" * 30] * 10, end=False).start()
    await request.messages(1)
    await settle()
    assert request.taken == 120
    go_on.set()
    request.end()
    await request.finished()
    assert texts(request.read()) == ["hello"]


async def test_a1_a_call_whose_handler_never_waits_creates_no_task():
    made = []
    loop = asyncio.get_running_loop()

    def factory(loop, coro, **options):
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **options)

    for dialect in DIALECTS:
        for method in ("Echo", "Count", "Sum", "Chat"):
            request = call(serve(), dialect, method, "abc", early=False)
            loop.set_task_factory(factory)
            try:
                await serve()(request.scope, request.receive, request.send)
            finally:
                loop.set_task_factory(None)
            assert request.read().code == "ok"
    await settle()
    assert not made


@every_protocol
async def test_f5_a_client_that_does_not_read_stops_its_handler(dialect):
    yielded = []

    async def endless(request, ctx):
        while len(yielded) < 10:
            yielded.append(1)
            yield {"text": "x"}

    request = call(serve({"Count": endless}), dialect, "Count", "a")
    request.hold()
    request.start()
    await request.until(lambda: request.holding)
    await settle()
    assert len(yielded) == 1
    request.release()
    await request.finished()
    assert len(request.read().messages) == 10


@every_protocol
async def test_t3_a_deadline_ends_a_call_whose_client_does_not_read(dialect, clock, caplog):
    closed = []

    async def endless(request, ctx):
        try:
            while True:
                yield {"text": "x" * 1000}
        finally:
            closed.append(True)

    request = call(serve({"Count": endless}), dialect, "Count", "a", headers=dialect.until(0.5), early=False)
    request.hold()
    began = clock.now
    await request.start().until(request.task.done)
    assert clock.now - began == pytest.approx(0.5, abs=0.01)
    assert closed == [True]
    assert not request.sent, "torn: nothing more is sent, and the server sees it unfinished"
    assert request.task.exception() is None
    assert not caplog.records


@every_protocol
async def test_t3_an_outcome_that_nobody_reads_is_given_up(dialect, clock):
    async def sleepy(request, ctx):
        yield {"text": "first"}
        await asyncio.sleep(3600)

    app = serve({"Count": sleepy}, limits=Limits(write_timeout=3.0))
    request = call(app, dialect, "Count", "a", headers=dialect.until(0.5)).start()
    await request.messages(1)
    request.hold()
    began = clock.now
    await request.until(request.task.done)
    # The context's own clock did not move, so that up to the timeout comes on top.
    assert 3.0 < clock.now - began <= 4.01
    assert not request.complete
