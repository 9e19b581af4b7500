"""One call from its first byte to its outcome; each rule on each protocol it concerns."""

from __future__ import annotations

import asyncio
import gzip
import logging

import pytest
from support.clock import settle, virtual_time
from support.dialects import DIALECTS, envelope
from support.peer import Peer, texts
from support.schema import note

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.rpc.limits import Limits
from dynconnect.server.dispatch import ERROR_ID, FAILED

CONNECT, GRPC, WEB = DIALECTS
every_protocol = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
# One protocol that puts the outcome in the head and one that puts it at the end.
two_protocols = pytest.mark.parametrize("dialect", [CONNECT, GRPC], ids=lambda dialect: dialect.name)


@pytest.fixture(autouse=True)
async def clock():
    with virtual_time() as clock:
        yield clock


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


SHAPES = [("Echo", echo), ("Count", count), ("Sum", join), ("Chat", chat)]
every_shape = pytest.mark.parametrize(("method", "handler"), SHAPES, ids=[name for name, _ in SHAPES])


# The four shapes.


@every_protocol
@pytest.mark.parametrize(
    ("method", "handler", "sent", "expected"),
    [
        ("Echo", echo, ["ab"], ["AB"]),
        ("Count", count, ["abc"], ["a", "b", "c"]),
        ("Count", count, [""], []),
        ("Sum", join, ["ab", "c"], ["abc"]),
        ("Sum", join, [], [""]),
        ("Chat", chat, ["ab", "c"], ["AB", "C"]),
        ("Chat", chat, [], []),
    ],
)
async def test_f2_each_shape_is_answered_by_its_handler(dialect, method, handler, sent, expected):
    outcome = await Peer(dialect, method, handler).send(*sent, end=True).outcome()
    assert texts(outcome) == expected


@every_protocol
async def test_f1_a_response_arrives_before_the_next_request(dialect):
    peer = Peer(dialect, "Chat", chat).start()
    for number, text in enumerate(["a", "b", "c"], 1):
        assert (await peer.send(text).texts(number))[-1] == text.upper()
    assert texts(await peer.end().outcome()) == ["A", "B", "C"]


@every_protocol
async def test_f1_a_handler_may_end_the_call_before_its_client_does(dialect):
    async def one_only(requests, ctx):
        yield {"text": (await anext(requests)).text}

    assert texts(await Peer(dialect, "Chat", one_only).send("a", "b").outcome()) == ["a"]


@every_protocol
async def test_f1_responses_need_not_wait_for_requests(dialect):
    async def greet_first(requests, ctx):
        yield {"text": "hello"}
        yield {"text": (await anext(requests)).text}

    peer = Peer(dialect, "Chat", greet_first).start()
    assert await peer.texts(1) == ["hello"]
    assert texts(await peer.send("you").outcome()) == ["hello", "you"]


@every_protocol
async def test_k14_every_message_is_flushed_on_its_own_and_at_once(dialect):
    go_on = asyncio.Event()

    async def slow(request, ctx):
        yield {"text": "first"}
        await go_on.wait()
        yield {"text": "second"}

    peer = Peer(dialect, "Count", slow).send("", end=True).start()
    assert await peer.texts(1) == ["first"]
    go_on.set()
    assert texts(await peer.outcome()) == ["first", "second"]


@every_protocol
@pytest.mark.parametrize("method", ["Count", "Sum", "Chat"])
async def test_e7_headers_can_be_sent_before_the_first_message(dialect, method):
    async def headers_first(_, ctx):
        ctx.response_headers["x-early"] = "1"
        await ctx.send_headers()
        await ctx.send_headers()
        ctx.response_headers["x-late"] = "2"

    async def headers_first_then_one(requests, ctx):
        await headers_first(requests, ctx)
        return {"text": "done"}

    async def headers_first_then_many(requests, ctx):
        await headers_first(requests, ctx)
        yield {"text": "done"}

    handler = headers_first_then_one if method == "Sum" else headers_first_then_many
    peer = Peer(dialect, method, handler).send("", end=True)
    outcome = await peer.outcome()
    assert len(peer.flushes[0]) == 1, "the head, alone"
    assert outcome.headers == {"x-early": ["1"]}
    assert texts(outcome) == ["done"]


async def test_e7_a_connect_unary_call_has_no_head_before_its_outcome():
    async def headers_first(request, ctx):
        await ctx.send_headers()
        ctx.response_headers["x-late"] = "2"
        return {}

    peer = Peer(CONNECT, "Echo", headers_first).send("", end=True)
    assert (await peer.outcome()).headers == {"x-late": ["2"]}
    assert len(peer.flushes) == 1


# How many messages.


@every_protocol
@pytest.mark.parametrize(("method", "handler"), [("Echo", echo), ("Count", count)])
async def test_k9_p8_s6_a_second_request_message_is_unimplemented_without_waiting_for_the_end(
    dialect, method, handler
):
    if dialect is CONNECT and method == "Echo":
        pytest.skip("the body is the message")
    for end in (False, True):
        outcome = await Peer(dialect, method, handler).send("a", "b", end=end).outcome()
        assert (outcome.code, outcome.messages) == ("unimplemented", ())
        assert "got more" in outcome.message


@every_protocol
@pytest.mark.parametrize(("method", "handler"), [("Echo", echo), ("Count", count)])
async def test_k10_p8_s6_no_request_message_is_unimplemented_and_no_hang(dialect, method, handler):
    if dialect is CONNECT and method == "Echo":
        pytest.skip("a body of no bytes is a message")
    outcome = await Peer(dialect, method, handler).end().outcome()
    assert (outcome.code, outcome.messages) == ("unimplemented", ())
    assert "got none" in outcome.message


async def test_m1_a_connect_unary_body_of_no_bytes_is_the_empty_message():
    assert texts(await Peer(CONNECT, "Echo", echo).end().outcome()) == [""]


@every_protocol
@pytest.mark.parametrize("method", ["Echo", "Sum"])
async def test_f3_a_handler_that_forgets_to_return_is_no_success(dialect, method):
    async def forgetful(_, ctx):
        pass

    outcome = await Peer(dialect, method, forgetful).send("", end=True).outcome()
    assert (outcome.code, outcome.messages) == ("internal", ())


@every_protocol
@pytest.mark.parametrize(("responses", "said"), [((), "no response"), (("a", "b"), "more than one")])
@pytest.mark.parametrize("method", ["Echo", "Sum"])
async def test_f3_an_interceptor_must_leave_one_response_of_a_unary_answer(dialect, method, responses, said):
    def meddling(stream):
        async def meddled(requests, ctx):
            for text in responses:
                yield note(text)

        return meddled

    outcome = await Peer(dialect, method, join, meddling).send("", end=True).outcome()
    assert outcome.code == "internal"
    assert said in outcome.message


@every_protocol
async def test_f4_reading_after_the_end_gives_the_end_again(dialect):
    async def greedy(requests, ctx):
        first = [request.text async for request in requests]
        again = [request.text async for request in requests]
        return {"text": f"{first} {again} {await anext(requests, 'end')}"}

    assert texts(await Peer(dialect, "Sum", greedy).send("a", end=True).outcome()) == ["['a'] [] end"]


@every_protocol
async def test_r9_a_method_without_a_handler_is_unimplemented(dialect):
    for method in ("Echo", "Count", "Sum", "Chat"):
        outcome = await Peer(dialect, method, None).send("", end=True).outcome()
        assert (outcome.code, outcome.message) == ("unimplemented", f"test.v1.Notes.{method} has no handler")


# Requests that are broken.


@every_protocol
async def test_e5_a_body_that_ends_inside_an_envelope_is_an_error_the_handler_sees(dialect):
    seen = []

    async def watching(requests, ctx):
        try:
            while True:
                seen.append((await anext(requests)).text)
        except ConnectError as exc:
            seen.append(exc.code)
            raise

    peer = Peer(dialect, "Sum", watching).send("a").push(b"\0\0\0\0\x09half").end()
    assert (await peer.outcome()).code == "invalid_argument"
    assert seen == ["a", Code.INVALID_ARGUMENT]


@every_protocol
@pytest.mark.parametrize(
    "broken",
    [envelope(b"\xff"), envelope(b"", flags=0x40), b"\0\xff\xff\xff\xff", envelope(b"\1\2", flags=1)],
    ids=["no message", "unknown flag", "too large", "not compressed"],
)
async def test_f4_after_a_broken_envelope_come_no_more_requests(dialect, broken):
    async def stubborn(requests, ctx):
        with pytest.raises(ConnectError):
            await anext(requests)
        return {"text": await anext(requests, "end") and "end"}

    later = envelope(b"")
    assert texts(await Peer(dialect, "Sum", stubborn).push(broken).push(later).end().outcome()) == ["end"]


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_l1_f4_after_a_unary_body_over_the_limit_comes_no_request(encoding):
    def stubborn(stream):
        async def asks_again(requests, ctx):
            with pytest.raises(ConnectError, match="limit of 8"):
                await anext(requests)
            yield note("end" if await anext(requests, None) is None else "more")

        return asks_again

    peer = Peer(
        CONNECT,
        "Echo",
        echo,
        stubborn,
        limits=Limits(read_max_bytes=8),
        headers={"content-encoding": encoding},
    )
    assert texts(await peer.push(b"x" * 1000).push(b"").end().outcome()) == ["end"]


@every_protocol
@pytest.mark.parametrize("method", ["Echo", "Sum"])
async def test_l1_l2_a_message_over_the_limit_is_resource_exhausted(dialect, method):
    limits = Limits(read_max_bytes=12)
    fits = await Peer(dialect, method, join, limits=limits).send("0123456789", end=True).outcome()
    over = await Peer(dialect, method, join, limits=limits).send("0123456789a", end=True).outcome()
    assert (over.code, over.messages) == ("resource_exhausted", ())
    assert fits.code == "ok" if method == "Sum" else "unknown"


@every_protocol
async def test_l4_a_response_over_the_limit_is_resource_exhausted(dialect):
    outcome = (
        await Peer(dialect, "Count", count, limits=Limits(send_max_bytes=2)).send("ab", end=True).outcome()
    )
    assert (outcome.code, outcome.messages) == ("resource_exhausted", ())


@every_protocol
async def test_c2_an_unknown_compression_is_unimplemented_before_the_handler_runs(dialect):
    def forbidden(requests, ctx):
        raise AssertionError("the handler ran")

    name = {"connect": "connect-content-encoding"}.get(dialect.name, "grpc-encoding")
    peer = Peer(dialect, "Chat", forbidden, headers={name: "lzw"})
    outcome = await peer.outcome()
    assert outcome.code == "unimplemented"
    assert "gzip" in outcome.message


@two_protocols
async def test_e2_compressed_messages_are_unpacked_and_answered_in_kind(dialect):
    prefix = "connect-content" if dialect is CONNECT else "grpc"
    peer = Peer(
        dialect,
        "Chat",
        chat,
        headers={f"{prefix}-encoding": "gzip", f"{prefix}-accept-encoding": "identity"},
    )
    packed = envelope(gzip.compress(note("a").SerializeToString()), flags=1)
    assert texts(await peer.push(packed).send("b", end=True).outcome()) == ["A", "B"]


# Errors.


@every_protocol
async def test_x5_messages_before_an_error_arrive_and_then_the_error(dialect):
    async def fails_after_two(request, ctx):
        yield {"text": "a"}
        yield {"text": "b"}
        raise ConnectError(Code.DATA_LOSS, "no more ☃\n")

    peer = Peer(dialect, "Count", fails_after_two).send("", end=True)
    outcome = await peer.outcome()
    assert await peer.texts(2) == ["a", "b"]
    assert (outcome.code, outcome.message, len(outcome.messages)) == ("data_loss", "no more ☃\n", 2)


@every_protocol
@pytest.mark.parametrize("method", ["Echo", "Count", "Sum", "Chat"])
async def test_x6_p7_k5_metadata_goes_out_with_an_error_too(dialect, method):
    def set_and_raise(ctx):
        ctx.response_headers["x-leading"] = "1"
        ctx.response_trailers["x-trailing"] = "2"
        raise ConnectError(Code.ABORTED, metadata={"x-of-the-error": "3"})

    async def one(_, ctx):
        set_and_raise(ctx)

    async def many(_, ctx):
        set_and_raise(ctx)
        yield

    peer = Peer(dialect, method, one if method in ("Echo", "Sum") else many).send("", end=True)
    outcome = await peer.outcome()
    assert (outcome.code, outcome.message) == ("aborted", "")
    if dialect is CONNECT and method == "Echo":
        assert outcome.headers == {"x-leading": ["1"], "x-of-the-error": ["3"]}
        assert outcome.trailers == {"x-trailing": ["2"]}
    else:
        assert outcome.headers == {"x-leading": ["1"]}
        assert outcome.trailers == {"x-trailing": ["2"], "x-of-the-error": ["3"]}


@every_protocol
async def test_x2_details_arrive_in_order(dialect):
    async def detailed(request, ctx):
        known = {"@type": "test.v1.Note", "text": "why"}
        raise ConnectError(Code.NOT_FOUND, "", [known, ErrorDetail("other.Type", b"\1\2")])

    outcome = await Peer(dialect, "Echo", detailed).send("", end=True).outcome()
    why = note("why").SerializeToString()
    assert outcome.details == (("test.v1.Note", why), ("other.Type", b"\1\2"))


@every_protocol
async def test_k22_a_detail_that_cannot_be_packed_does_not_hide_its_error(dialect, caplog):
    async def detailed(request, ctx):
        raise ConnectError(Code.NOT_FOUND, "gone", [{"@type": "no.such.Type"}])

    outcome = await Peer(dialect, "Echo", detailed).send("", end=True).outcome()
    assert (outcome.code, outcome.message, outcome.details) == ("not_found", "gone", ())
    assert "no.such.Type" in caplog.text


@every_protocol
@pytest.mark.parametrize("method", ["Echo", "Count", "Sum", "Chat"])
async def test_x4_other_exceptions_are_hidden_and_logged_under_the_id_that_the_caller_gets(
    dialect, method, caplog
):
    async def one(_, ctx):
        raise ValueError("the password is swordfish")

    async def many(_, ctx):
        yield {"text": "before"}
        raise ValueError("the password is swordfish")

    peer = Peer(dialect, method, one if method in ("Echo", "Sum") else many).send("", end=True)
    outcome = await peer.outcome()
    assert (outcome.code, outcome.message) == ("unknown", FAILED)
    assert "swordfish" not in str(peer.flushes)
    [record] = caplog.records
    [name] = (outcome.headers if dialect is CONNECT and method == "Echo" else outcome.trailers)[ERROR_ID]
    assert f"test.v1.Notes.{method} failed [{name}]" in record.getMessage()
    assert "swordfish" in str(record.exc_info[1])


@every_protocol
@pytest.mark.parametrize(
    "error",
    [ConnectError(5, "x"), ConnectError("not_found", "x"), ConnectError(Code.NOT_FOUND, 404)],
    ids=["a number", "a word", "a message that is no text"],
)
async def test_x7_an_error_that_is_none_is_unknown(dialect, error, caplog):
    async def sloppy(request, ctx):
        raise error

    outcome = await Peer(dialect, "Echo", sloppy).send("", end=True).outcome()
    assert (outcome.code, outcome.message) == ("unknown", FAILED)
    assert len(caplog.records) == 1


@every_protocol
async def test_x4_a_handler_that_awaits_something_cancelled_has_failed(dialect, caplog):
    async def awaits_a_cancelled_task(request, ctx):
        task = asyncio.ensure_future(asyncio.Event().wait())
        task.cancel()
        await task

    outcome = await Peer(dialect, "Echo", awaits_a_cancelled_task).send("", end=True).outcome()
    assert (outcome.code, outcome.message) == ("unknown", FAILED)
    assert "CancelledError" in caplog.text


@every_protocol
@pytest.mark.parametrize("answer", [7, {"txt": "misspelt"}, "text"])
async def test_x4_an_answer_of_another_type_is_said_in_the_log(dialect, answer, caplog):
    async def confused(request, ctx):
        return answer

    outcome = await Peer(dialect, "Echo", confused).send("", end=True).outcome()
    assert (outcome.code, outcome.message, outcome.messages) == ("unknown", FAILED, ())
    assert "test.v1.Notes.Echo" in caplog.text


@every_protocol
@pytest.mark.parametrize("where", ["headers", "trailers", "error"])
@pytest.mark.parametrize("pair", [("x-bad", "a\r\nb: c"), ("x bad", "1"), ("x-bad", 7), ("x-bad", "☃")])
async def test_d1_metadata_that_http_cannot_carry_is_internal(dialect, where, pair):
    async def injecting(request, ctx):
        name, value = pair
        if where == "error":
            raise ConnectError(Code.NOT_FOUND, metadata={name: value})
        (ctx.response_headers if where == "headers" else ctx.response_trailers).add(name, value)
        ctx.response_trailers["x-good"] = "1"
        return {}

    outcome = await Peer(dialect, "Echo", injecting).send("", end=True).outcome()
    assert outcome.code == "internal"
    assert "x-bad" not in {**outcome.headers, **outcome.trailers}


@every_protocol
async def test_every_call_leaves_one_line_in_the_debug_log(dialect, caplog):
    caplog.set_level(logging.DEBUG, "dynconnect.server.dispatch")
    await Peer(dialect, "Echo", echo).send("", end=True).outcome()
    await Peer(dialect, "Echo", None).send("", end=True).outcome()
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith(f"{dialect.name} test.v1.Notes.Echo ok ")
    assert second.startswith(f"{dialect.name} test.v1.Notes.Echo unimplemented ")


# Time.


def sleeping(method, stages):
    """A handler of *method* that sleeps for an hour and writes down what becomes of it."""

    async def sleep():
        stages.append("began")
        try:
            await asyncio.sleep(3600)
        finally:
            stages.append("finally")

    async def one(_, ctx):
        await sleep()

    async def many(_, ctx):
        yield {"text": "first"}
        await sleep()

    return one if method in ("Echo", "Sum") else many


@every_protocol
@pytest.mark.parametrize("method", ["Echo", "Count", "Sum", "Chat"])
async def test_t3_t5_k17_the_deadline_ends_a_handler_that_sleeps(dialect, method, clock):
    stages = []
    began = clock.now
    peer = Peer(dialect, method, sleeping(method, stages), headers=dialect.until(0.25))
    outcome = await peer.send("", end=True).outcome()
    assert outcome.code == "deadline_exceeded"
    assert clock.now - began == pytest.approx(0.25, abs=0.01)
    assert stages == ["began", "finally"]
    assert len(outcome.messages) == (method in ("Count", "Chat"))


@every_protocol
@pytest.mark.parametrize(("method", "handler"), SHAPES)
async def test_t3_k18_the_deadline_covers_the_reading_of_the_request(dialect, method, handler, clock):
    began = clock.now
    peer = Peer(dialect, method, handler, headers=dialect.until(0.25)).push(b"")
    assert (await peer.outcome()).code == "deadline_exceeded"
    assert clock.now - began == pytest.approx(0.25, abs=0.01)


@every_protocol
async def test_t3_a_handler_that_swallows_the_deadline_is_late_all_the_same(dialect):
    async def deaf(request, ctx):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return {"text": "too late"}

    peer = Peer(dialect, "Echo", deaf, headers=dialect.until(1)).send("", end=True)
    assert (await peer.outcome()).code == "deadline_exceeded"


@every_protocol
async def test_t3_a_time_out_of_the_handlers_own_is_not_the_deadline(dialect, caplog):
    async def impatient(request, ctx):
        async with asyncio.timeout(1):
            await asyncio.sleep(3600)

    peer = Peer(dialect, "Echo", impatient, headers=dialect.until(10)).send("", end=True)
    assert (await peer.outcome()).code == "unknown"
    assert "TimeoutError" in caplog.text


@every_protocol
@every_shape
async def test_t2_a_timeout_of_zero_has_passed_already(dialect, method, handler):
    ran = []

    def watching(stream):
        def watched(requests, ctx):
            ran.append(method)
            return stream(requests, ctx)

        return watched

    peer = Peer(dialect, method, handler, watching, headers=dialect.until(0))
    assert (await peer.outcome()).code == "deadline_exceeded"
    assert not ran


@every_protocol
@every_shape
async def test_t2_the_longest_timeout_does_not_overflow_the_timer(dialect, method, handler):
    longest = {"connect-timeout-ms": "9" * 10} if dialect is CONNECT else {"grpc-timeout": "99999999H"}
    peer = Peer(dialect, method, handler, headers=longest).send("", end=True)
    assert (await peer.outcome()).code == "ok"


@every_protocol
@pytest.mark.parametrize("value", ["x", "-1", "1.5", "12345678901m", " 5S5"])
async def test_t1_a_timeout_that_is_none_is_invalid_argument_before_the_handler_runs(dialect, value):
    outcome = await Peer(dialect, "Echo", None, headers={dialect.timeout: value}).outcome()
    assert outcome.code == "invalid_argument"
    assert value.strip() in outcome.message


@every_protocol
async def test_t4_the_handler_sees_the_time_that_is_left(dialect):
    seen = []

    async def looking(request, ctx):
        seen.append(ctx.timeout_ms)
        return {}

    await Peer(dialect, "Echo", looking, headers=dialect.until(7)).send("", end=True).outcome()
    await Peer(dialect, "Echo", looking).send("", end=True).outcome()
    assert 6000 < seen[0] <= 7000
    assert seen[1] is None


# Handlers with ideas of their own.


@every_protocol
async def test_a_handler_that_gives_up_waiting_and_asks_again_loses_no_request(dialect):
    gave_up = asyncio.Event()

    async def impatient(requests, ctx):
        found = []
        while len(found) < 3:
            try:
                found.append((await asyncio.wait_for(anext(requests), 0.5)).text)
            except TimeoutError:
                gave_up.set()
        return {"text": "".join(found)}

    peer = Peer(dialect, "Sum", impatient).start()
    one, two = dialect.pack(note("b").SerializeToString(), True), note("c").SerializeToString()
    for piece in (dialect.pack(note("a").SerializeToString(), True), one[:4], one[4:] + envelope(two)):
        await gave_up.wait()
        gave_up.clear()
        peer.push(piece)
    assert texts(await peer.outcome()) == ["abc"]


@every_protocol
async def test_a_handler_may_read_requests_in_a_task_of_its_own(dialect):
    async def two_ways(requests, ctx):
        inbox = asyncio.Queue()

        async def listen():
            async for request in requests:
                await inbox.put(request.text)
            await inbox.put(None)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen())
            yield {"text": "ready"}
            while (text := await inbox.get()) is not None:
                yield {"text": text}

    peer = Peer(dialect, "Chat", two_ways).start()
    assert await peer.texts(1) == ["ready"]
    assert await peer.send("a").texts(2) == ["ready", "a"]
    assert texts(await peer.send("b", end=True).outcome()) == ["ready", "a", "b"]


@every_protocol
@pytest.mark.parametrize("method", ["Echo", "Count", "Sum", "Chat"])
async def test_t6_cancellation_runs_finally_and_goes_on_to_whoever_cancelled(dialect, method, caplog):
    stages = []
    peer = Peer(dialect, method, sleeping(method, stages)).send("", end=True).start()
    await settle()
    flushed = list(peer.flushes)
    peer.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await peer.task
    assert stages == ["began", "finally"]
    assert peer.flushes == flushed, "nothing more is sent"
    assert not caplog.records
