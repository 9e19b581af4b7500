"""The application as an ASGI server sees it: what it answers, to whom, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from support import schema
from support.asgi import Request, http_scope
from support.clock import settle, virtual_time
from support.dialects import DIALECTS, envelope
from support.peer import texts
from support.schema import packed

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.server.asgi import Server

CONNECT, GRPC, WEB = DIALECTS
every_protocol = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@pytest.fixture(autouse=True)
async def clock():
    with virtual_time() as clock:
        yield clock
    assert asyncio.all_tasks() == {asyncio.current_task()}, "T7"


async def echo(request, ctx):
    return {"text": request.text.upper()}


async def count(request, ctx):
    for letter in request.text:
        yield {"text": letter}


async def join(requests, ctx):
    return {"text": "".join([request.text async for request in requests])}


async def chat(requests, ctx):
    async for request in requests:
        yield {"text": request.text.upper()}


HANDLERS = {"Echo": echo, "Look": echo, "Count": count, "Sum": join, "Chat": chat}


def serve(handlers=HANDLERS, **options):
    return Server(schema.generation(handlers), **options)


def call(app, dialect, method, *messages, end=True, headers=None, **scope):
    """A call to *method* whose messages, texts or bytes as they are, have arrived already."""
    streaming = method not in schema.UNARY
    head = {**dialect.head(streaming), **(headers or {})}
    request = Request(app, http_scope(schema.path(method), headers=head, **scope))
    for message in messages:
        data = message if isinstance(message, bytes) else dialect.pack(packed(message), streaming)
        request.push(data)
    request.read = lambda: dialect.read(request.answer, streaming)
    return request.end() if end else request


async def outcome(request):
    await request.run()
    return request.read()


def get(app, query, **scope):
    return Request(app, http_scope(schema.path("Look"), method="GET", query=query, **scope))


# What is answered.


@every_protocol
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(
    ("method", "sent", "expected"),
    [
        ("Echo", ["ab"], ["AB"]),
        ("Count", ["abc"], ["a", "b", "c"]),
        ("Sum", ["ab", "c"], ["abc"]),
        ("Chat", ["ab", "c"], ["AB", "C"]),
    ],
)
async def test_each_shape_is_served_over_each_protocol(dialect, early, method, sent, expected):
    assert texts(await outcome(call(serve(), dialect, method, *sent, early=early))) == expected


@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
@pytest.mark.parametrize("dialect", [CONNECT, WEB], ids=["connect", "grpcweb"])
async def test_r10_r11_connect_and_grpc_web_are_served_on_every_http_version(dialect, version):
    for method in ("Echo", "Chat"):
        request = call(serve(), dialect, method, "a", http_version=version, trailers=False)
        assert texts(await outcome(request)) == ["A"]


async def test_r10_a4_grpc_without_trailers_is_505():
    for scope in ({"http_version": "1.1"}, {"trailers": False}, {"extensions": None}, {"http_version": "?"}):
        answer = await call(serve(), GRPC, "Echo", "a", **scope).run()
        assert (answer.status, answer.headers, answer.body) == (505, [("content-length", "0")], b"")


async def test_r11_bidi_over_http_1_can_be_switched_off():
    answer = await call(serve(http1_bidi=False), CONNECT, "Chat", "a", http_version="1.1").run()
    assert (answer.status, answer.values("connection")) == (505, ["close"])


async def test_k13_e1_messages_are_found_wherever_the_pieces_of_a_body_fall():
    body = b"".join(envelope(packed(text)) for text in ("ab", "c", ""))
    for step in (1, 2, 7, len(body)):
        pieces = [body[at : at + step] for at in range(0, len(body), step)]
        assert texts(await outcome(call(serve(), GRPC, "Sum", *pieces))) == ["abc"]


async def test_u1_a_unary_body_may_come_in_pieces():
    message = packed("abc")
    pieces = [message[at : at + 1] for at in range(len(message))]
    assert texts(await outcome(call(serve(), CONNECT, "Echo", *pieces))) == ["ABC"]


async def test_r7_g1_a_method_without_side_effects_answers_a_get():
    answer = await get(serve(), "encoding=json&message=%7B%22text%22%3A%22a%22%7D").end().run()
    assert (answer.status, json.loads(answer.body)) == (200, {"text": "A"})


async def test_r12_a_get_that_has_a_body_without_saying_so_is_415():
    answer = await get(serve(), "encoding=json&message=%7B%7D").push(b"x").end().run()
    assert (answer.status, answer.body) == (415, b"")


@pytest.mark.parametrize(
    ("method", "verb", "status"),
    [("Echo", "HEAD", 405), ("Echo", "GET", 405), ("Look", "HEAD", 405), ("Chat", "OPTIONS", 405)],
)
async def test_r7_other_verbs_are_405_without_a_body(method, verb, status):
    answer = await Request(serve(), http_scope(schema.path(method), method=verb)).end().run()
    assert (answer.status, answer.body) == (status, b"")
    assert "POST" in answer.values("allow")[0]


async def test_r5_a_foreign_content_type_is_415_and_no_rpc():
    answer = await call(serve(), CONNECT, "Echo", headers={"content-type": "image/jpeg"}).run()
    assert (answer.status, answer.body) == (415, b"")
    assert "application/grpc-web" in answer.values("accept-post")[0]


async def test_r8_an_unknown_path_is_404_in_words_and_not_not_found():
    request = Request(serve(), http_scope("/no.Such/Method", headers={"content-type": "application/json"}))
    answer = await request.end().run()
    assert answer.status == 404
    assert answer.values("content-type") == ["text/plain; charset=utf-8"]
    assert b"/no.Such/Method" in answer.body
    assert b"not_found" not in answer.body
    assert int(answer.values("content-length")[0]) == len(answer.body)


async def test_r8_a8_a_request_to_an_unknown_path_is_read_before_it_is_refused():
    request = Request(serve(), http_scope("/no.Such/Method", early=False)).push(b"x").start()
    await settle()
    assert not request.sent
    assert (await request.end().finished()).status == 404


async def test_r8_a_head_of_an_unknown_path_is_404_without_a_body():
    answer = await Request(serve(), http_scope("/", method="HEAD")).end().run()
    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize("dialect", [GRPC, WEB], ids=["grpc", "grpcweb"])
@pytest.mark.parametrize("early", [False, True])
async def test_r8_an_unknown_method_of_grpc_is_unimplemented(dialect, early):
    request = Request(serve(), http_scope("/test.v1.Notes/Missing", headers=dialect.head(False), early=early))
    await request.end(envelope(packed("a"))).run()
    found = dialect.read(request.answer, False)
    assert (found.code, found.message) == ("unimplemented", "there is no method /test.v1.Notes/Missing")


@every_protocol
async def test_r9_a_method_without_a_handler_is_unimplemented(dialect):
    found = await outcome(call(serve({}), dialect, "Echo", "a"))
    assert (found.code, found.message) == ("unimplemented", "test.v1.Notes.Echo has no handler")


async def test_r14_the_version_of_connect_is_checked_and_may_be_required():
    async def code(version, **options):
        request = call(serve(**options), CONNECT, "Echo", "a", headers={"connect-protocol-version": version})
        return (await outcome(request)).code

    assert await code("1") == await code("") == "ok"
    assert await code("2") == "invalid_argument"
    assert await code("", require_connect_protocol_version=True) == "invalid_argument"
    assert await code("1", require_connect_protocol_version=True) == "ok"


# Where it is mounted, and what stands behind it.


@pytest.mark.parametrize(
    ("raw_path", "root_path", "status"),
    [
        ("/test.v1.Notes/Echo", "", 200),
        ("/api/v1/test.v1.Notes/Echo", "/api/v1", 200),
        ("/api/test.v1.Notes/Echo", "/api/", 200),
        ("/test.v1.Notes/Echo", "/api", 200),
        ("/api/test.v1.Notes/Echo", "", 404),
        ("/apitest.v1.Notes/Echo", "/api", 404),
        ("/test.v1.Notes%2FEcho", "", 404),
        ("/test.v1.Notes/%45cho", "", 404),
        ("/test.v1.Notes/Echo/", "", 404),
        (None, "", 200),
    ],
)
async def test_r1_the_raw_path_counts_and_a_mount_prefix_is_taken_off(raw_path, root_path, status):
    raw = None if raw_path is None else raw_path.encode()
    request = call(serve(), CONNECT, "Echo", "a", raw_path=raw, root_path=root_path)
    assert (await request.run()).status == status


async def test_a_path_that_is_no_rpc_goes_to_the_fallback_untouched():
    seen = []

    async def page(scope, receive, send):
        seen.append((scope, receive, send))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})

    request = Request(serve(fallback=page), http_scope("/", method="GET"))
    assert (await request.run()).body == b"page"
    assert seen == [(request.scope, request.receive, request.send)]
    assert texts(await outcome(call(serve().wrap(page), CONNECT, "Echo", "a"))) == ["A"]


async def lifespan(app, *messages):
    """What *app* sends during a lifespan of these *messages*."""
    incoming, sent = iter(messages), []

    async def receive():
        return {"type": next(incoming)}

    async def send(message):
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    return sent


async def test_a12_lifespan_events_are_answered():
    events = ("lifespan.startup", "lifespan.shutdown")
    assert await lifespan(serve(), *events) == [f"{event}.complete" for event in events]


async def test_a12_a_fallback_has_a_lifespan_of_its_own():
    async def page(scope, receive, send):
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.startup.failed"})

    assert await lifespan(serve(fallback=page), "lifespan.startup") == ["lifespan.startup.failed"]


async def test_a_websocket_is_refused():
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await serve()({"type": "websocket", "path": "/"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


# What a handler learns.


async def test_the_context_says_who_asks_whom_and_how():
    seen = []

    async def look(request, ctx):
        seen.append(
            f"{ctx.protocol} {ctx.http_method} {ctx.client_address} {ctx.server_address} "
            f"{ctx.generation} {ctx.method.name} {ctx.query_string}"
        )
        return {}

    app = serve({"Look": look, "Echo": look})
    await call(app, GRPC, "Look", "").run()
    await call(app, WEB, "Echo", "", client=("2001:db8::1", 443), server=("/run/rpc.sock", None)).run()
    await get(app, "encoding=json&message={}", client=None, server=None).end().run()
    assert seen == [
        "grpc POST 192.0.2.7:50123 192.0.2.1:8080 1 Look ",
        "grpcweb POST [2001:db8::1]:443 /run/rpc.sock 1 Echo ",
        "connect GET None None 1 Look encoding=json&message={}",
    ]


@every_protocol
async def test_d2_d6_metadata_with_odd_bytes_comes_through_and_can_be_echoed(dialect):
    odd = "na\u00efve " + "☃".encode().decode("latin-1")

    async def echo_headers(request, ctx):
        for value in ctx.request_headers.getall("x-odd"):
            ctx.response_headers.add("x-odd", value)
            ctx.response_trailers.add("x-odd", value)
        return {}

    request = call(serve({"Echo": echo_headers}), dialect, "Echo", "a")
    request.scope["headers"] += [(b"x-odd", odd.encode("latin-1")), (b"x-odd", b"a, b")]
    found = await outcome(request)
    assert (found.code, found.headers) == ("ok", {"x-odd": [odd, "a, b"]})


@every_protocol
async def test_x4_the_log_names_the_call_that_the_caller_was_told(dialect, caplog):
    async def broken(request, ctx):
        ctx.log.warning("about to fail")
        raise RuntimeError("secret")

    found = await outcome(call(serve({"Echo": broken}), dialect, "Echo", "a"))
    [name] = {**found.headers, **found.trailers}["dynconnect-error-id"]
    warning, error = caplog.messages
    assert warning == f"[Echo {name}] about to fail"
    assert name in error
    assert "secret" not in found.message


@every_protocol
async def test_e7_a_head_that_is_sent_early_is_flushed_while_the_handler_works(dialect):
    go_on = asyncio.Event()

    async def slow(request, ctx):
        ctx.response_headers["x-early"] = "1"
        await ctx.send_headers()
        await go_on.wait()
        yield {"text": "done"}

    request = call(serve({"Count": slow}), dialect, "Count", "a").start()
    head = await request.head()
    assert (b"x-early", b"1") in head["headers"]
    await request.until(lambda: request.of("http.response.body"))
    assert request.of("http.response.body") == [
        {"type": "http.response.body", "body": b"", "more_body": True}
    ]
    go_on.set()
    await request.finished()
    assert texts(request.read()) == ["done"]


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
    assert (request.sent, clock.now) == (sent, began)
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
@pytest.mark.parametrize("failure", [ConnectError(Code.ABORTED), ValueError()])
async def test_t7_a_call_that_fails_leaves_its_generation(dialect, failure):
    async def failing(request, ctx):
        raise failure

    app = serve({"Echo": failing})
    await outcome(call(app, dialect, "Echo", "a"))
    assert app.generations.running(app.generations.current) == 0
