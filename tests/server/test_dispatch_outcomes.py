"""One call from its first byte to its outcome, each rule on each protocol it concerns: errors and time."""

from __future__ import annotations

import asyncio
import logging

import pytest
from support.clock import settle, virtual_time
from support.dialects import DIALECTS
from support.handlers import chat, count, echo, join
from support.peer import Peer
from support.schema import note

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.server.dispatch import ERROR_ID, FAILED

CONNECT, GRPC, WEB = DIALECTS
every_protocol = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)

SHAPES = [("Echo", echo), ("Count", count), ("Sum", join), ("Chat", chat)]
every_shape = pytest.mark.parametrize(("method", "handler"), SHAPES, ids=[name for name, _ in SHAPES])


@pytest.fixture(autouse=True)
async def clock():
    with virtual_time() as clock:
        yield clock


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
