"""What every engine must carry, by a client of gRPC's own: real servers on loopback.

Nothing in here knows an engine; a new one is one more line in `support.engine.ENGINES`.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import grpc
import pytest
from google.rpc.status_pb2 import Status
from support import schema
from support.asgi import GUARD
from support.engine import ENGINES, notes_on
from support.schema import note, unpacked


@pytest.fixture(params=ENGINES)
async def notes(request):
    async with notes_on(request.param) as notes:
        yield notes


KINDS = {
    (False, False): "unary_unary",
    (False, True): "unary_stream",
    (True, False): "stream_unary",
    (True, True): "stream_stream",
}


class Client:
    """`client.Echo(request)` and so on, on one connection."""

    def __init__(self, channel):
        for name, shape in schema.METHODS.items():
            make = getattr(channel, KINDS[shape])
            setattr(self, name, make(schema.path(name), lambda m: m.SerializeToString(), unpacked))


@pytest.fixture
async def client(notes):
    async with grpc.aio.insecure_channel(urlsplit(notes.url).netloc) as channel:
        yield Client(channel)


def stream(*notes):
    async def requests():
        for one in notes:
            yield one

    return requests()


async def test_grpc_unary(client):
    assert (await client.Echo(note("abc"), timeout=GUARD)).text == "ABC"


async def test_grpc_server_stream(client):
    found = [one.number async for one in client.Count(note(number=500), timeout=GUARD)]
    assert found == list(range(500))


async def test_grpc_client_stream(client):
    requests = stream(*(note(number=number) for number in range(500)))
    assert (await client.Sum(requests, timeout=GUARD)).number == sum(range(500))


async def test_f1_grpc_bidi_is_full_duplex(client):
    call = client.Chat(timeout=GUARD)
    for text in ("a", "b", "c"):
        await call.write(note(text))
        assert (await call.read()).text == text.upper()
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_f1_a_grpc_handler_may_end_the_call_while_its_client_still_writes(client):
    call = client.Chat(timeout=GUARD)
    await call.write(note("bye"))
    assert (await call.read()).text == "BYE"
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    assert (await client.Echo(note("again"), timeout=GUARD)).text == "AGAIN"


async def test_p9_a_grpc_client_stream_may_be_answered_early(client):
    async def endless():
        yield note("enough", number=7)
        await asyncio.Event().wait()

    assert (await client.Sum(endless(), timeout=GUARD)).number == 7


async def test_p4_p7_k5_a_grpc_error_has_details_and_metadata(client):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.Fail(note(), timeout=GUARD)
    error = caught.value
    assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "no ☃ at 100%\n")
    assert error.initial_metadata()["x-leading"] == "1"
    assert error.trailing_metadata()["x-trailing"] == "2"
    [detail] = Status.FromString(error.trailing_metadata()["grpc-status-details-bin"]).details
    assert (detail.type_url, unpacked(detail.value).text) == ("type.googleapis.com/test.v1.Note", "why")


@pytest.mark.parametrize("method", ["/test.v1.Notes/Missing", "/no.such/Thing"])
async def test_r8_a_grpc_method_that_does_not_exist_is_unimplemented(notes, method):
    async with grpc.aio.insecure_channel(urlsplit(notes.url).netloc) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(method)(b"", timeout=GUARD)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_d2_d3_grpc_metadata_goes_both_ways(client):
    asked = (("x-ask", "a"), ("x-ask", "b, c"), ("x-ask-bin", b"\0\xff\1"))
    call = client.Echo(note(), metadata=asked, timeout=GUARD)
    leading, trailing = await call.initial_metadata(), await call.trailing_metadata()
    assert leading.get_all("x-leading") == ["a", "b, c"]
    assert trailing.get_all("x-trailing") == ["a", "b, c"]
    assert trailing.get_all("x-trailing-bin") == [b"\0\xff\1"]


async def test_e7_a_grpc_client_reads_the_headers_while_the_handler_works(notes, client):
    call = client.Count(note("headers first", number=1), timeout=GUARD)
    assert (await call.initial_metadata())["x-leading"] == "1"
    notes.set("headers read")
    assert [one.number async for one in call] == [0]


async def test_t3_t6_a_grpc_deadline_ends_the_call_and_its_handler(notes, client):
    call = client.Count(note("then wait", number=1), timeout=0.2)
    assert (await call.read()).number == 0
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await notes.reach("count's finally")


async def test_t6_cancelling_a_grpc_stream_runs_the_handlers_finally(notes, client, caplog):
    call = client.Count(note("then wait", number=1), timeout=GUARD)
    assert (await call.read()).number == 0
    call.cancel()
    await notes.reach("count's finally")
    assert (await client.Echo(note("go on"), timeout=GUARD)).text == "GO ON"
    assert not caplog.records


async def test_t6_cancelling_a_grpc_bidi_call_that_waits_for_requests_runs_finally(notes, client, caplog):
    call = client.Chat(timeout=GUARD)
    await call.write(note("a"))
    await call.read()
    call.cancel()
    await notes.reach("chat's finally")
    assert not caplog.records


async def test_l3_k16_grpc_messages_over_the_limit_leave_the_connection_usable(client):
    neighbour = client.Chat(timeout=GUARD)
    await neighbour.write(note("before"))
    assert (await neighbour.read()).text == "BEFORE"
    for _ in range(3):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.Echo(note(data=bytes(5_000_000)), timeout=GUARD)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await client.Echo(note("fine"), timeout=GUARD)).text == "FINE"
    await neighbour.write(note("after"))
    assert (await neighbour.read()).text == "AFTER"
    await neighbour.done_writing()


async def test_grpc_messages_just_below_the_limit_go_both_ways(client):
    data = bytes(range(256)) * 3900
    assert (await client.Echo(note(data=data), timeout=GUARD)).data == data


async def test_f5_a_grpc_reader_that_is_slow_gets_everything(client):
    data = bytes(200_000)
    call = client.Count(note(number=50, data=data), timeout=GUARD)
    assert [one.number async for one in call if len(one.data) == len(data)] == list(range(50))


async def test_e2_grpc_compression(notes):
    options = {"compression": grpc.Compression.Gzip}
    async with grpc.aio.insecure_channel(urlsplit(notes.url).netloc, **options) as channel:
        found = await Client(channel).Echo(note("a" * 10_000), timeout=GUARD)
    assert found.text == "A" * 10_000


async def test_two_hundred_grpc_calls_at_once(client):
    async def one(number):
        text = str(number)
        match number % 4:
            case 0:
                return (await client.Echo(note(text), timeout=GUARD)).text == text
            case 1:
                found = [one.number async for one in client.Count(note(number=9), timeout=GUARD)]
                return found == list(range(9))
            case 2:
                return (await client.Sum(stream(note(number=number)), timeout=GUARD)).number == number
        call = client.Chat(stream(note("a"), note("b")), timeout=GUARD)
        return [one.text async for one in call] == ["A", "B"]

    assert all(await asyncio.gather(*(one(number) for number in range(200))))
