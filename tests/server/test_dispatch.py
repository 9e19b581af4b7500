"""One call from its first byte to its outcome, each rule on each protocol it concerns: messages."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from support.clock import virtual_time
from support.dialects import DIALECTS, envelope
from support.handlers import chat, count, echo, join
from support.peer import Peer, texts
from support.schema import note

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits

CONNECT, GRPC, WEB = DIALECTS
every_protocol = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
# One protocol that puts the outcome in the head and one that puts it at the end.
two_protocols = pytest.mark.parametrize("dialect", [CONNECT, GRPC], ids=lambda dialect: dialect.name)


@pytest.fixture(autouse=True)
async def clock():
    with virtual_time() as clock:
        yield clock


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


# How many messages. (The body of a Connect unary call is one message, whatever it is.)

every_cardinality = pytest.mark.parametrize(
    ("dialect", "method", "handler"),
    [
        pytest.param(dialect, name, handler, id=f"{dialect.name}-{name}")
        for dialect in DIALECTS
        for name, handler in (("Echo", echo), ("Count", count))
        if (dialect, name) != (CONNECT, "Echo")
    ],
)


@every_cardinality
async def test_k9_p8_s6_a_second_request_message_is_unimplemented_without_waiting_for_the_end(
    dialect, method, handler
):
    for end in (False, True):
        outcome = await Peer(dialect, method, handler).send("a", "b", end=end).outcome()
        assert (outcome.code, outcome.messages) == ("unimplemented", ())
        assert "got more" in outcome.message


@every_cardinality
async def test_k10_p8_s6_no_request_message_is_unimplemented_and_no_hang(dialect, method, handler):
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
async def test_f3_an_interceptor_that_goes_on_after_a_unary_answer_is_stopped(dialect):
    def endless(stream):
        async def repeated(requests, ctx):
            while True:
                yield note("again")

        return repeated

    outcome = await Peer(dialect, "Echo", echo, endless).send("", end=True).outcome()
    assert outcome.code == "internal"
    assert len(outcome.messages) <= 1


@every_protocol
async def test_f4_reading_after_the_end_gives_the_end_again(dialect):
    async def greedy(requests, ctx):
        first = [request.text async for request in requests]
        again = [request.text async for request in requests]
        return {"text": f"{first} {again} {await anext(requests, 'end')}"}

    assert texts(await Peer(dialect, "Sum", greedy).send("a", end=True).outcome()) == ["['a'] [] end"]


@every_protocol
async def test_f4_headers_sent_after_the_end_go_nowhere(dialect):
    late = []

    async def keeps_its_context(request, ctx):
        late.append(ctx)
        yield {"text": "a"}

    peer = Peer(dialect, "Count", keeps_its_context).send("", end=True)
    outcome = await peer.outcome()
    await late[0].send_headers()
    assert await peer.outcome() == outcome


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
