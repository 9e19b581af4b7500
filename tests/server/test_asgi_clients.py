"""Clients that go, servers that stop, generations that are swapped: how calls end."""

from __future__ import annotations

import asyncio
import logging

import pytest
from support import schema
from support.asgi import Request, http_scope
from support.calls import call, outcome, serve
from support.clock import settle, virtual_time
from support.dialects import DIALECTS
from support.peer import texts
from support.schema import packed

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.server.asgi import Server
from dynconnect.server.asgi_call import WATCH_AFTER

CONNECT, GRPC, WEB = DIALECTS
every_protocol = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@pytest.fixture(autouse=True)
async def clock():
    with virtual_time() as clock:
        yield clock
    assert asyncio.all_tasks() == {asyncio.current_task()}, "T7"


# Clients that go, servers that stop.


def waiting(method, stages):
    """A handler of *method* that waits for ever and writes down what becomes of it."""

    async def wait():
        stages.append("began")
        try:
            await asyncio.Event().wait()
        finally:
            await settle()
            stages.append("finally")

    async def one(_, ctx):
        await wait()

    async def many(_, ctx):
        yield {"text": "first"}
        await wait()

    return one if method in ("Echo", "Sum") else many


every_shape = pytest.mark.parametrize("method", ["Echo", "Count", "Sum", "Chat"])


@every_protocol
@every_shape
@pytest.mark.parametrize("early", [False, True])
async def test_t6_a_client_that_goes_cancels_its_handler_at_once(dialect, method, early, clock, caplog):
    caplog.set_level(logging.INFO)
    stages, began = [], clock.now
    app = serve({method: waiting(method, stages)})
    request = call(app, dialect, method, "a", early=early, end=method != "Chat").start()
    await request.until(lambda: stages)
    sent = list(request.sent)
    request.disconnect()
    await request.until(request.task.done)
    assert stages == ["began", "finally"]
    assert (request.task.exception(), request.task.cancelling()) == (None, 0)
    assert request.sent == sent
    assert clock.now - began <= WATCH_AFTER
    assert not caplog.records
    assert app.generations.running(app.generations.current) == 0


@every_protocol
@every_shape
async def test_t6_a_client_that_goes_while_its_request_is_read_ends_the_call(dialect, method, caplog):
    app = serve()
    request = call(app, dialect, method, b"\0", end=False).start()
    await request.until(lambda: request.asking)
    request.disconnect()
    await request.until(request.task.done)
    assert (request.task.exception(), request.sent, caplog.records) == (None, [], [])


@every_protocol
@pytest.mark.parametrize("exc", [OSError("reset"), RuntimeError("closed"), KeyError("stream")])
async def test_a10_a_send_that_raises_cancels_the_handler_and_is_no_error(dialect, exc, caplog):
    caplog.set_level(logging.INFO)
    ended = []

    async def endless(request, ctx):
        try:
            while True:
                yield {"text": "x"}
        finally:
            ended.append(asyncio.current_task().cancelling())

    request = call(serve({"Count": endless}), dialect, "Count", "a")
    request.fail(exc)
    await request.start().until(request.task.done)
    assert (request.task.exception(), ended, caplog.records) == (None, [1], [])


@every_protocol
async def test_t6_a_client_that_goes_while_the_answer_waits_ends_the_call(dialect):
    request = call(serve(), dialect, "Count", "abc")
    request.hold()
    await request.start().until(lambda: request.holding)
    request.disconnect()
    await request.until(request.task.done)
    assert (request.task.exception(), request.sent) == (None, [])


@pytest.mark.parametrize("kind", ["application/proto", "image/jpeg", "application/grpc"])
@pytest.mark.parametrize("path", [schema.path("Echo"), "/no.Such/Method"])
async def test_t6_a_client_that_goes_while_its_refusal_waits_ends_the_request(kind, path):
    request = Request(serve({}), http_scope(path, headers={"content-type": kind})).end()
    request.hold()
    await request.start().until(lambda: request.holding)
    request.disconnect()
    await request.until(request.task.done)
    assert (request.task.exception(), request.sent) == (None, [])


@every_protocol
async def test_t6_a_handler_that_swallows_its_cancellation_sends_nothing_more(dialect):
    steps = []

    async def deaf(requests, ctx):
        for step in (asyncio.Event().wait, lambda: anext(requests, None)):
            try:
                await step()
            except asyncio.CancelledError:
                steps.append("swallowed")
        yield {"text": "too late"}
        steps.append("went on")

    request = call(serve({"Chat": deaf}), dialect, "Chat", end=False).start()
    await request.until(lambda: request.asking)
    request.disconnect()
    await request.until(request.task.done)
    assert (request.task.exception(), request.task.cancelling(), request.sent) == (None, 0, [])
    assert steps == ["swallowed", "swallowed"]


@every_protocol
async def test_t6_a_child_task_that_reads_is_cancelled_with_its_call(dialect):
    ends = []

    async def two_ways(requests, ctx):
        async def listen():
            try:
                async for _ in requests:
                    pass
            finally:
                ends.append("child")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen())
            yield {"text": "ready"}
            try:
                await asyncio.Event().wait()
            finally:
                ends.append("handler")

    request = call(serve({"Chat": two_ways}), dialect, "Chat", end=False).start()
    await request.messages(1)
    request.disconnect()
    await request.until(request.task.done)
    assert request.task.exception() is None
    assert sorted(ends) == ["child", "handler"]


@every_protocol
async def test_t7_a_child_task_that_its_handler_forgot_finds_the_end(dialect):
    forgotten = []

    async def careless(requests, ctx):
        async def listen():
            return [request.text async for request in requests]

        forgotten.append(asyncio.ensure_future(listen()))
        yield {"text": "ready"}
        await asyncio.sleep(0)

    request = call(serve({"Chat": careless}), dialect, "Chat", "a", end=False).start()
    await request.finished()
    request.disconnect()
    await settle()
    assert forgotten[0].done()


@every_protocol
@every_shape
@pytest.mark.parametrize("first", ["server", "client"])
async def test_t6_the_servers_own_cancellation_passes_through(dialect, method, first):
    stages = []
    app = serve({method: waiting(method, stages)})
    request = call(app, dialect, method, "a").start()
    await request.until(lambda: stages)
    for who in ("server", "client") if first == "server" else ("client", "server"):
        if who == "server":
            request.task.cancel()
        else:
            request.disconnect()
            await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await request.task
    assert request.task.cancelled()
    assert app.generations.running(app.generations.current) == 0


@every_protocol
@every_shape
async def test_t6_a_client_that_goes_at_the_deadline_does_not_cut_the_clean_up_short(dialect, method):
    at_deadline, cleaned_up = asyncio.Event(), asyncio.Event()

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            at_deadline.set()
            await settle()
            cleaned_up.set()

    async def one(_, ctx):
        await wait()

    async def many(_, ctx):
        await wait()
        yield

    app = serve({method: one if method in ("Echo", "Sum") else many})
    request = call(app, dialect, method, "a", headers=dialect.until(1)).start()
    await at_deadline.wait()
    request.disconnect()
    await request.until(request.task.done)
    assert cleaned_up.is_set()
    assert (request.task.exception(), request.task.cancelling(), request.sent) == (None, 0, [])


async def test_a_client_that_goes_after_the_answer_changes_nothing():
    request = call(serve(), CONNECT, "Echo", "a")

    async def send(message):
        await request.send(message)
        if request.complete:
            request.disconnect()
            await asyncio.sleep(0)

    await serve()(request.scope, request.receive, send)
    assert texts(request.read()) == ["A"]
    assert asyncio.current_task().cancelling() == 0


# Generations.


@every_protocol
async def test_a_call_keeps_the_generation_in_which_it_began(dialect):
    numbers = []

    async def twice(requests, ctx):
        async for _ in requests:
            numbers.append(ctx.generation)
            yield {"text": "old"}

    async def once(requests, ctx):
        numbers.append(ctx.generation)
        yield {"text": "new"}

    app = Server(schema.generation({"Chat": twice}, number=1))
    old = app.generations.current
    request = call(app, dialect, "Chat", "a", end=False).start()
    await request.messages(1)
    app.generations.swap(schema.generation({"Chat": once}, number=2))
    assert texts(await outcome(call(app, dialect, "Chat", "a"))) == ["new"]
    assert app.generations.draining == (old,)
    request.push(dialect.pack(packed("b"), True)).end()
    await request.finished()
    assert texts(request.read()) == ["old", "old"]
    assert numbers == [1, 2, 1]
    assert app.generations.draining == ()


@every_protocol
async def test_a_call_whose_generation_was_replaced_too_long_ago_ends_as_unavailable(dialect, clock):
    tidied = []

    async def waits(requests, ctx):
        try:
            async for _ in requests:
                yield {"text": "old"}
        finally:
            tidied.append(clock.now)

    app = Server(schema.generation({"Chat": waits}, number=1), drain=5)
    request = call(app, dialect, "Chat", "a", end=False).start()
    await request.messages(1)
    swapped = clock.now
    app.generations.swap(schema.generation({"Chat": waits}, number=2))
    await request.finished()
    answer = request.read()
    assert (answer.code, answer.message) == (
        "unavailable",
        "the handler was replaced while the call ran; call again",
    )
    assert tidied == [pytest.approx(swapped + 5)]
    assert app.generations.draining == ()


@every_protocol
@pytest.mark.parametrize("failure", [ConnectError(Code.ABORTED), ValueError()])
async def test_t7_a_call_that_fails_leaves_its_generation(dialect, failure):
    async def failing(request, ctx):
        raise failure

    app = serve({"Echo": failing})
    await outcome(call(app, dialect, "Echo", "a"))
    assert app.generations.running(app.generations.current) == 0
