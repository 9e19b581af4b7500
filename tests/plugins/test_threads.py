from __future__ import annotations

import asyncio
import contextvars
import threading
import time

import pytest
from support.shop import context, method

from dynconnect.plugins import threads
from dynconnect.plugins.threads import threaded
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError

SOME = contextvars.ContextVar("some", default="unset")
# Long enough for a slow machine; every wait below is for an event that comes at once.
WAIT = 10.0


async def several(*items):
    for item in items:
        yield item


async def endless():
    """Requests of a client that has sent one and is silent since."""
    yield "first"
    await asyncio.Event().wait()


def run(name, handler, request):
    """What a plain *handler* of the method *name* answers to *request*, as a coroutine or generator."""
    return threaded(method(name), handler)(request, context(name))


async def collect(answer):
    """All that *answer* gives; of a coroutine, the one thing."""
    if asyncio.iscoroutine(answer):
        return [await answer]
    return [response async for response in answer]


async def happens(event):
    """Wait for an event of another thread."""
    assert await asyncio.to_thread(event.wait, WAIT)


async def test_a_function_answers_from_another_thread():
    assert await run("GetOrder", lambda request, ctx: (request, threading.get_ident()), "x") != (
        "x",
        threading.get_ident(),
    )


async def test_a_function_reads_a_stream_as_a_plain_iterator():
    def upload(requests, ctx):
        return ",".join(requests)

    assert await run("Upload", upload, several("a", "b", "c")) == "a,b,c"
    assert await run("Upload", upload, several()) == ""


async def test_the_end_of_requests_can_be_met_twice():
    def upload(requests, ctx):
        return [list(requests), list(requests), next(requests, "end")]

    assert await run("Upload", upload, several("a")) == [["a"], [], "end"]


async def test_a_function_may_answer_before_the_requests_end():
    assert await run("Upload", lambda requests, ctx: next(requests), endless()) == "first"


async def test_a_generator_answers_one_by_one():
    def list_orders(request, ctx):
        yield request + "1"
        yield request + "2"

    assert await collect(run("ListOrders", list_orders, "x")) == ["x1", "x2"]
    assert await collect(run("ListOrders", lambda request, ctx: iter(()), "x")) == []


async def test_a_generator_is_not_run_ahead_of_its_reader():
    made = []

    def list_orders(request, ctx):
        for each in "ab":
            made.append(each)
            yield each

    responses = run("ListOrders", list_orders, "x")
    assert (await anext(responses), made) == ("a", ["a"])
    assert (await anext(responses), made) == ("b", ["a", "b"])
    await responses.aclose()


async def test_requests_and_responses_take_turns():
    received = []

    async def requests():
        for each in "abc":
            received.append(each)
            yield each

    def chat(requests, ctx):
        for request in requests:
            yield request.upper()

    responses = run("Chat", chat, requests())
    assert (await anext(responses), received) == ("A", ["a"])
    assert await collect(responses) == ["B", "C"]


async def test_the_loop_goes_on_while_a_handler_blocks():
    entered, go = threading.Event(), threading.Event()

    def get(request, ctx):
        entered.set()
        return go.wait(WAIT)

    async def meanwhile():
        await happens(entered)
        go.set()

    answer, _ = await asyncio.gather(run("GetOrder", get, "x"), meanwhile())
    assert answer is True


SHAPES = [
    pytest.param("GetOrder", lambda request, ctx: SOME.get(), "x", id="unary"),
    pytest.param("Upload", lambda requests, ctx: SOME.get(), several(), id="client stream"),
    pytest.param("ListOrders", lambda request, ctx: (SOME.get() for _ in "a"), "x", id="server stream"),
    pytest.param("Chat", lambda requests, ctx: (SOME.get() for _ in "a"), several(), id="bidi"),
]


@pytest.mark.parametrize(("name", "handler", "request_"), SHAPES)
async def test_context_variables_are_those_of_the_call(name, handler, request_):
    SOME.set("of the call")
    answer = run(name, handler, request_)
    assert await collect(answer) == ["of the call"]


async def test_a_generator_keeps_its_context_variables_from_step_to_step():
    def list_orders(request, ctx):
        SOME.set("inside")
        yield 1
        yield SOME.get()

    assert await collect(run("ListOrders", list_orders, "x")) == [1, "inside"]
    assert SOME.get() == "unset"


def raising(error):
    def unary(request, ctx):
        raise error

    def stream(request, ctx):
        raise error
        yield

    return {"GetOrder": unary, "Upload": unary, "ListOrders": stream, "Chat": stream}


@pytest.mark.parametrize("name", ["GetOrder", "Upload", "ListOrders", "Chat"])
async def test_what_a_handler_raises_reaches_the_call(name):
    error = ConnectError(Code.NOT_FOUND, "no such order")
    with pytest.raises(ConnectError) as caught:
        await collect(run(name, raising(error)[name], several()))
    assert caught.value is error


@pytest.mark.parametrize("error", [SystemExit(1), StopIteration()])
@pytest.mark.parametrize("name", ["GetOrder", "ListOrders"])
async def test_what_would_confuse_the_loop_becomes_an_ordinary_error(name, error):
    with pytest.raises(RuntimeError, match=r"sys\.exit|StopIteration"):
        await collect(run(name, raising(error)[name], "x"))


@pytest.mark.parametrize("name", ["Upload", "Chat"])
async def test_a_broken_request_is_raised_where_the_handler_reads_it(name):
    seen = []

    async def broken():
        yield "a"
        raise ConnectError(Code.INVALID_ARGUMENT, "broken")

    def read(requests):
        try:
            seen.append(next(requests))
            seen.append(next(requests))
        except ConnectError as error:
            seen.append(error.code)
            raise

    def upload(requests, ctx):
        read(requests)

    def chat(requests, ctx):
        read(requests)
        yield

    with pytest.raises(ConnectError, match="broken"):
        await collect(run(name, {"Upload": upload, "Chat": chat}[name], broken()))
    assert seen == ["a", Code.INVALID_ARGUMENT]


async def test_a_decorator_may_hide_that_its_function_is_async():
    async def get(request, ctx):
        await asyncio.sleep(0)
        return request

    assert await run("GetOrder", lambda request, ctx: get(request, ctx), "x") == "x"


class Watched:
    """A handler that tells what becomes of it."""

    def __init__(self):
        self.ended = threading.Event()
        self.how = None

    def read(self, requests):
        try:
            yield next(requests)
            yield next(requests)  # this one never comes
        except BaseException as error:
            self.how = error
            raise
        finally:
            self.ended.set()

    def upload(self, requests, ctx):
        return list(self.read(requests))

    def chat(self, requests, ctx):
        yield from self.read(requests)


@pytest.mark.parametrize("name", ["Upload", "Chat"])
async def test_cancelling_a_call_unblocks_a_handler_that_waits_for_a_request(name):
    watched = Watched()
    reading = asyncio.Event()

    async def requests():
        yield "first"
        reading.set()
        await asyncio.Event().wait()

    answer = run(name, getattr(watched, name.lower()), requests())
    call = asyncio.ensure_future(collect(answer) if name == "Chat" else answer)
    await reading.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await happens(watched.ended)
    assert isinstance(watched.how, ConnectError)
    assert watched.how.code is Code.CANCELED


async def test_a_client_that_stops_reading_ends_a_generator_at_once():
    watched = Watched()
    responses = run("Chat", watched.chat, endless())
    assert await anext(responses) == "first"
    await responses.aclose()
    assert watched.ended.is_set()
    assert isinstance(watched.how, GeneratorExit)


async def test_a_generator_ends_in_a_thread_and_may_block_there():
    ended = []

    def list_orders(request, ctx):
        try:
            yield 1
        finally:
            time.sleep(0)
            ended.append(threading.get_ident())

    responses = run("ListOrders", list_orders, "x")
    await anext(responses)
    await responses.aclose()
    assert ended != [threading.get_ident()]


async def test_a_step_that_is_under_way_is_let_go_and_closed_when_it_ends():
    entered, go, ended = threading.Event(), threading.Event(), threading.Event()

    def list_orders(request, ctx):
        try:
            yield 1
            entered.set()
            go.wait(WAIT)
            yield 2
        finally:
            ended.set()

    responses = run("ListOrders", list_orders, "x")
    await anext(responses)
    step = asyncio.ensure_future(anext(responses))
    await happens(entered)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert not ended.is_set()
    go.set()
    await happens(ended)


@pytest.mark.parametrize("where", ["in its step", "at its end"])
async def test_a_handler_that_fails_after_its_call_is_logged(monkeypatch, where):
    entered, go, logged = threading.Event(), threading.Event(), threading.Event()
    told = []
    monkeypatch.setattr(threads.log, "error", lambda *args, **more: (told.append((args, more)), logged.set()))

    def list_orders(request, ctx):
        try:
            entered.set()
            go.wait(WAIT)
            if where == "in its step":
                raise KeyError(where)
            yield 1
        finally:
            if where == "at its end":
                raise KeyError(where)

    step = asyncio.ensure_future(anext(run("ListOrders", list_orders, "x")))
    await happens(entered)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    go.set()
    await happens(logged)
    ((text,), more) = told[0]
    assert text == "a handler failed after its call was over"
    assert more["exc_info"].args == (where,)


async def test_a_handler_may_answer_while_a_thread_of_its_own_waits_for_a_request(monkeypatch):
    watched, waiting = Watched(), threading.Event()

    async def requests():
        yield "first"
        waiting.set()
        await asyncio.Event().wait()

    def upload(requests, ctx):
        threading.Thread(target=lambda: list(watched.read(requests)), daemon=True).start()
        return waiting.wait(WAIT)

    # The thread's own exception is what this is about.
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    async with asyncio.timeout(WAIT):
        assert await run("Upload", upload, requests())
    await happens(watched.ended)
    assert watched.how.code is Code.CANCELED


async def test_a_thread_of_the_handler_s_own_may_wait_for_a_request_across_steps():
    more, waiting, found = asyncio.Event(), threading.Event(), []

    class Requests:
        """Like the server's: reading may be given up, and begun again."""

        def __init__(self):
            self.items = iter("ab")

        def __aiter__(self):
            return self

        async def __anext__(self):
            if found:
                waiting.set()
                await more.wait()
            return next(self.items)

    def chat(requests, ctx):
        def read():
            found.append(next(requests))
            found.append(next(requests))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        waiting.wait(WAIT)
        yield "one"
        reader.join(WAIT)
        yield "two"

    responses = run("Chat", chat, Requests())
    async with asyncio.timeout(WAIT):
        assert await anext(responses) == "one"
        more.set()
        assert await collect(responses) == ["two"]
    assert found == ["a", "b"]


async def test_a_time_out_of_the_requests_is_the_handler_s():
    async def requests():
        raise TimeoutError("of the client")
        yield

    with pytest.raises(TimeoutError, match="of the client"):
        await run("Upload", lambda requests, ctx: next(requests), requests())


async def test_after_the_call_its_requests_raise():
    requests = await run("Upload", lambda requests, ctx: requests, endless())
    with pytest.raises(ConnectError, match="canceled: the call is over"):
        next(requests)


async def test_a_call_that_is_woken_for_nothing_reads_nothing():
    thread = threads._Thread(several("a"))
    await thread._read()
    assert thread.requests.demand is None


def test_a_request_that_no_loop_can_read_raises_instead_of_waiting():
    loop = asyncio.new_event_loop()
    loop.close()
    requests = threads._Requests(lambda: loop.call_soon_threadsafe(print))
    with pytest.raises(RuntimeError, match="closed"):
        next(requests)


async def test_two_threads_of_a_handler_may_share_its_requests():
    def upload(requests, ctx):
        found = []
        workers = [threading.Thread(target=lambda: found.extend(requests)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(WAIT)
        return sorted(found)

    assert await run("Upload", upload, several(*"abcdef")) == list("abcdef")


@pytest.fixture
def two_threads(monkeypatch):
    pool = threads.ThreadPoolExecutor(2)
    monkeypatch.setattr(threads, "_pool", lambda: pool)
    yield
    pool.shutdown()


async def test_no_more_handlers_run_at_once_than_there_are_threads(two_threads):
    running, most, lock = [], [], threading.Lock()

    def get(request, ctx):
        with lock:
            running.append(request)
            most.append(len(running))
        time.sleep(0.005)
        with lock:
            running.remove(request)
        return request

    answers = await asyncio.gather(*(run("GetOrder", get, each) for each in range(8)))
    assert (answers, max(most)) == (list(range(8)), 2)


async def test_a_stream_holds_no_thread_between_its_responses(two_threads):
    streams = [run("ListOrders", lambda request, ctx: iter("ab"), "x") for _ in range(10)]
    assert [await anext(each) for each in streams] == ["a"] * 10
    for each in streams:
        await each.aclose()


async def test_a_call_that_is_cancelled_while_it_waits_for_a_thread_never_runs(two_threads):
    go, ran = threading.Event(), []
    blocked = [
        asyncio.ensure_future(run("GetOrder", lambda request, ctx: go.wait(WAIT), each)) for each in "ab"
    ]
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(run("GetOrder", lambda request, ctx: ran.append(request), "x"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go.set()
    await asyncio.gather(*blocked)
    assert ran == []


def test_a_step_that_ends_after_the_loop_harms_nobody():
    entered, go, ended = threading.Event(), threading.Event(), threading.Event()

    def get(request, ctx):
        entered.set()
        go.wait(WAIT)
        ended.set()

    async def leave_behind():
        call = asyncio.ensure_future(run("GetOrder", get, "x"))
        await happens(entered)
        call.cancel()

    asyncio.run(leave_behind())
    go.set()
    assert ended.wait(WAIT)


def test_a_loop_that_ends_unblocks_the_handlers_that_read():
    watched = Watched()

    async def leave_behind():
        reading = asyncio.Event()

        async def requests():
            yield "first"
            reading.set()
            await asyncio.Event().wait()

        call = asyncio.ensure_future(run("Upload", watched.upload, requests()))
        await reading.wait()
        assert not call.done()

    asyncio.run(leave_behind())
    assert watched.ended.wait(WAIT)


def test_the_pool_is_bounded():
    assert threads._pool()._max_workers == threads.THREADS
