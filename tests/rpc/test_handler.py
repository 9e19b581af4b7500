from __future__ import annotations

from contextlib import aclosing
from types import SimpleNamespace

import pytest

from dynconnect.rpc.code import Code
from dynconnect.rpc.context import Context
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.handler import stream_of, unimplemented
from dynconnect.rpc.metadata import Metadata


def method(client, server):
    return SimpleNamespace(
        name="M",
        full_name="a.S.M",
        client_streaming=client,
        server_streaming=server,
        as_output=lambda value: ("output", value),
    )


UNARY, SERVER, CLIENT, BIDI = (
    method(False, False),
    method(False, True),
    method(True, False),
    method(True, True),
)
ONE_REQUEST = pytest.mark.parametrize("shape", [UNARY, SERVER], ids=["unary", "server stream"])
ONE_RESPONSE = pytest.mark.parametrize("shape", [UNARY, CLIENT], ids=["unary", "client stream"])
EVERY = pytest.mark.parametrize(
    "shape", [UNARY, SERVER, CLIENT, BIDI], ids=["unary", "server", "client", "bidi"]
)


class Requests:
    """Requests that know how many of them were asked for; *end* is what the last question meets."""

    def __init__(self, *values, end=StopAsyncIteration):
        self.values = list(values)
        self.end = end
        self.asked = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        self.asked += 1
        if not self.values:
            raise self.end
        return self.values.pop(0)


def handler_of(shape, seen):
    """A handler in the shape of *shape*, which notes what it saw, and echoes it."""

    async def one(request, context):
        seen.append((request, context))
        return request

    async def one_to_many(request, context):
        seen.append((request, context))
        for at in range(3):
            yield f"{request}{at}"

    async def many_to_one(requests, context):
        found = [request async for request in requests]
        seen.append((found, context))
        return "".join(found)

    async def many_to_many(requests, context):
        async for request in requests:
            seen.append((request, context))
            yield request * 2

    return {
        (False, False): one,
        (False, True): one_to_many,
        (True, False): many_to_one,
        (True, True): many_to_many,
    }[shape.client_streaming, shape.server_streaming]


async def run(shape, handler, requests):
    context = Context(shape, "grpc", Metadata())
    return [response async for response in stream_of(shape, handler)(requests, context)]


SHAPES = [
    pytest.param(UNARY, ["a"], ["a"], ["a"], id="unary"),
    pytest.param(SERVER, ["a"], ["a"], ["a0", "a1", "a2"], id="server stream"),
    pytest.param(CLIENT, ["a", "b"], [["a", "b"]], ["ab"], id="client stream"),
    pytest.param(CLIENT, [], [[]], [""], id="client stream without requests"),
    pytest.param(BIDI, ["a", "b"], ["a", "b"], ["aa", "bb"], id="bidi"),
    pytest.param(BIDI, [], [], [], id="bidi without requests"),
]


@pytest.mark.parametrize(("shape", "sent", "seen", "expected"), SHAPES)
async def test_f2_a_handler_of_any_shape_becomes_a_stream(shape, sent, seen, expected):
    found = []
    responses = await run(shape, handler_of(shape, found), Requests(*sent))
    assert responses == [("output", value) for value in expected]
    assert [request for request, _ in found] == seen
    assert all(context.method is shape for _, context in found)


# How many messages


@ONE_REQUEST
async def test_p8_s6_k10_no_request_is_unimplemented_and_the_handler_is_not_called(shape):
    seen = []
    with pytest.raises(ConnectError, match="expected one request message, got none") as caught:
        await run(shape, handler_of(shape, seen), Requests())
    assert (caught.value.code, seen) == (Code.UNIMPLEMENTED, [])


@ONE_REQUEST
async def test_p8_s6_k9_a_second_request_is_unimplemented_whether_or_not_the_client_has_ended(shape):
    seen = []
    requests = Requests("a", "b", end=AssertionError("it waited for more"))
    with pytest.raises(ConnectError, match="expected one request message, got more") as caught:
        await run(shape, handler_of(shape, seen), requests)
    assert (caught.value.code, requests.asked, seen) == (Code.UNIMPLEMENTED, 2, [])


@ONE_REQUEST
async def test_p8_the_handler_waits_until_it_is_known_that_there_is_one_request(shape):
    requests = Requests("a")
    await run(shape, handler_of(shape, []), requests)
    assert requests.asked == 2


@ONE_RESPONSE
async def test_f3_s7_a_handler_that_forgets_to_return_is_internal_and_never_a_silent_success(shape):
    async def forgetful(request, context):
        pass

    with pytest.raises(ConnectError, match=r"a\.S\.M gave no response message") as caught:
        await run(shape, forgetful, Requests("a"))
    assert caught.value.code is Code.INTERNAL


@pytest.mark.parametrize("value", ["", 0, {}, [], False])
@ONE_RESPONSE
async def test_f3_an_empty_response_is_one(shape, value):
    async def empty(request, context):
        return value

    assert await run(shape, empty, Requests("a")) == [("output", value)]


# What goes wrong, and the end


@EVERY
@pytest.mark.parametrize(
    "error", [ConnectError(Code.ABORTED, "no"), ZeroDivisionError()], ids=["meant", "not meant"]
)
async def test_what_a_handler_raises_comes_out_as_it_is(shape, error):
    async def fails(request, context):
        raise error

    async def fails_while_streaming(request, context):
        raise error
        yield

    with pytest.raises(type(error)) as caught:
        await run(shape, fails_while_streaming if shape.server_streaming else fails, Requests("a"))
    assert caught.value is error


@EVERY
async def test_what_the_requests_raise_reaches_the_caller(shape):
    error = ConnectError(Code.INVALID_ARGUMENT, "no JSON")
    with pytest.raises(ConnectError) as caught:
        await run(shape, handler_of(shape, []), Requests(end=error))
    assert caught.value is error


@pytest.mark.parametrize("shape", [SERVER, BIDI], ids=["server stream", "bidi"])
async def test_x5_responses_before_a_failure_are_given(shape):
    async def fails_later(request, context):
        yield "first"
        raise ConnectError(Code.ABORTED)

    stream = stream_of(shape, fails_later)(Requests("a"), Context(shape, "grpc", Metadata()))
    assert await anext(stream) == ("output", "first")
    with pytest.raises(ConnectError):
        await anext(stream)


@pytest.mark.parametrize("shape", [SERVER, BIDI], ids=["server stream", "bidi"])
async def test_t6_a_stream_that_is_closed_early_closes_its_handler_at_once(shape):
    events = []

    async def endless(request, context):
        try:
            while True:
                yield "more"
        finally:
            events.append("closed")

    async with aclosing(
        stream_of(shape, endless)(Requests("a"), Context(shape, "grpc", Metadata()))
    ) as responses:
        assert await anext(responses) == ("output", "more")
    assert events == ["closed"]


async def test_f1_a_bidi_response_comes_before_the_next_request_is_asked_for():
    requests = Requests("a", "b")
    async with aclosing(
        stream_of(BIDI, handler_of(BIDI, []))(requests, Context(BIDI, "grpc", Metadata()))
    ) as responses:
        assert await anext(responses) == ("output", "aa")
        assert requests.asked == 1


async def test_f1_a_handler_may_end_a_bidi_call_without_reading_its_requests():
    async def deaf(requests, context):
        yield "enough"

    requests = Requests("a", end=AssertionError("it read on"))
    assert await run(BIDI, deaf, requests) == [("output", "enough")]
    assert requests.asked == 0


async def test_r9_a_method_without_a_handler_is_unimplemented_and_says_which():
    requests = Requests("a")
    with pytest.raises(ConnectError, match=r"a\.S\.M has no handler") as caught:
        await anext(unimplemented(requests, Context(UNARY, "grpc", Metadata())))
    assert (caught.value.code, requests.asked) == (Code.UNIMPLEMENTED, 0)
