"""What every engine must carry: real servers on loopback, real clients, all protocols.

Nothing in here knows an engine; a new one is one more line in `ENGINES`.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from urllib.parse import urlencode, urlsplit

import grpc
import httpx
import pytest
from google.rpc.status_pb2 import Status
from support import schema
from support.dialects import DIALECTS, Answer, frames
from support.peer import texts
from support.schema import note, packed, unpacked
from support.serving import serving

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.server.asgi import Server

ENGINES = {"hypercorn": serving}
CONNECT, _, WEB = DIALECTS
GUARD = 30.0
# Generous, so that a busy machine fails no test.
LIMITS = Limits(read_max_bytes=1_000_000, drain_max_bytes=64_000_000, drain_timeout=GUARD)

# (what, word): set by handlers for the test that uses this word.
reached: dict[tuple[str, str], asyncio.Event]


async def reach(what, word):
    async with asyncio.timeout(GUARD):
        await reached[what, word].wait()


async def echo(request, ctx):
    for value in ctx.request_headers.getall("x-ask"):
        ctx.response_headers.add("x-leading", value)
        ctx.response_trailers.add("x-trailing", value)
    for value in ctx.request_headers.get_binary("x-ask-bin"):
        ctx.response_trailers.add_binary("x-trailing-bin", value)
    return {"text": request.text.upper(), "data": request.data}


async def fail(request, ctx):
    ctx.response_headers["x-leading"] = "1"
    ctx.response_trailers["x-trailing"] = "2"
    raise ConnectError(Code.FAILED_PRECONDITION, "no ☃ at 100%\n", [note("why")])


async def count(request, ctx):
    """A message for each number below `number`; after them waits for ever if there is a `text`."""
    ctx.response_headers["x-leading"] = "1"
    await ctx.send_headers()
    if request.text == "after headers":
        await reach("go on", request.text)
    for number in range(request.number):
        yield {"number": number, "data": request.data}
    if request.text == "wait":
        try:
            await asyncio.Event().wait()
        finally:
            reached["finally", request.text].set()


async def add(requests, ctx):
    total = 0
    async for request in requests:
        total += request.number
        if request.text == "enough":
            break
    return {"number": total}


async def chat(requests, ctx):
    try:
        async for request in requests:
            yield {"text": request.text.upper()}
            if request.text == "bye":
                return
    finally:
        reached["finally", "chat"].set()


HANDLERS = {"Echo": echo, "Look": echo, "Fail": fail, "Count": count, "Sum": add, "Chat": chat}


@pytest.fixture(params=ENGINES)
async def url(request):
    global reached
    reached = defaultdict(asyncio.Event)
    app = Server(schema.generation(HANDLERS), limits=LIMITS)
    async with ENGINES[request.param](app) as url:
        yield url
    assert app.generations.running(app.generations.current) == 0, "T7"


# gRPC, by grpcio.

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
async def client(url):
    async with grpc.aio.insecure_channel(urlsplit(url).netloc) as channel:
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
async def test_r8_a_grpc_method_that_does_not_exist_is_unimplemented(url, method):
    async with grpc.aio.insecure_channel(urlsplit(url).netloc) as channel:
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


async def test_e7_a_grpc_client_reads_the_headers_while_the_handler_works(client):
    call = client.Count(note("after headers", number=1), timeout=GUARD)
    assert (await call.initial_metadata())["x-leading"] == "1"
    reached["go on", "after headers"].set()
    assert [one.number async for one in call] == [0]


async def test_t3_t6_a_grpc_deadline_ends_the_call_and_its_handler(client):
    call = client.Count(note("wait", number=1), timeout=0.2)
    assert (await call.read()).number == 0
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await reach("finally", "wait")


async def test_t6_cancelling_a_grpc_stream_runs_the_handlers_finally(client, caplog):
    call = client.Count(note("wait", number=1), timeout=GUARD)
    assert (await call.read()).number == 0
    call.cancel()
    await reach("finally", "wait")
    assert (await client.Echo(note("go on"), timeout=GUARD)).text == "GO ON"
    assert not caplog.records


async def test_t6_cancelling_a_grpc_bidi_call_that_waits_for_requests_runs_finally(client, caplog):
    call = client.Chat(timeout=GUARD)
    await call.write(note("a"))
    await call.read()
    call.cancel()
    await reach("finally", "chat")
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


async def test_e2_grpc_compression(url):
    options = {"compression": grpc.Compression.Gzip}
    async with grpc.aio.insecure_channel(urlsplit(url).netloc, **options) as channel:
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


# Connect and gRPC-Web, by httpx.

every_version = pytest.mark.parametrize("http2", [False, True], ids=["http1", "h2c"])
by_dialect = pytest.mark.parametrize("dialect", [CONNECT, WEB], ids=["connect", "grpcweb"])


def connection(url, http2):
    return httpx.AsyncClient(base_url=url, http1=not http2, http2=http2, timeout=GUARD, trust_env=False)


@pytest.fixture
async def http(url, http2):
    async with connection(url, http2) as http:
        yield http


def post(dialect, method, *requests, **headers):
    """The arguments of httpx for a call."""
    streaming = method not in schema.UNARY
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "method": "POST",
        "url": schema.path(method),
        "headers": {**dialect.head(streaming), **names},
        "content": b"".join(dialect.pack(one.SerializeToString(), streaming) for one in requests),
    }


async def call(http, dialect, method, *requests, **headers):
    answer = await http.request(**post(dialect, method, *requests, **headers))
    http_answer = Answer(
        answer.status_code, [(n.lower(), v) for n, v in answer.headers.multi_items()], answer.content
    )
    return dialect.read(http_answer, method not in schema.UNARY)


@every_version
@by_dialect
async def test_each_shape_over_each_http_version(http, dialect):
    assert texts(await call(http, dialect, "Echo", note("abc"))) == ["ABC"]
    found = await call(http, dialect, "Count", note(number=3))
    assert [unpacked(data).number for data in found.messages] == [0, 1, 2]
    [total] = (await call(http, dialect, "Sum", note(number=1), note(number=2))).messages
    assert unpacked(total).number == 3
    assert texts(await call(http, dialect, "Chat", note("a"), note("b"))) == ["A", "B"]
    assert texts(await call(http, dialect, "Chat")) == []


@every_version
async def test_g1_a_connect_get(http):
    query = urlencode({"connect": "v1", "encoding": "json", "message": '{"text":"a b"}'})
    answer = await http.get(f"{schema.path('Look')}?{query}")
    assert (answer.status_code, answer.json()) == (200, {"text": "A B"})


@every_version
async def test_connect_json(http):
    answer = await http.post(schema.path("Echo"), json={"text": "abc", "unknown": 1})
    assert (answer.status_code, answer.json()) == (200, {"text": "ABC"})
    assert answer.headers["content-type"] == "application/json"


@every_version
@by_dialect
async def test_x1_x2_u5_an_error_has_details_and_metadata(http, dialect):
    found = await call(http, dialect, "Fail", note())
    assert (found.code, found.message) == ("failed_precondition", "no ☃ at 100%\n")
    assert found.details == (("test.v1.Note", packed("why")),)
    assert found.headers["x-leading"] == ["1"]
    assert found.trailers["x-trailing"] == ["2"]


@every_version
@by_dialect
async def test_d2_metadata_goes_both_ways(http, dialect):
    found = await call(http, dialect, "Echo", note(), x_ask="a; b", x_ask_bin="AP8")
    assert found.headers["x-leading"] == ["a; b"]
    assert found.trailers == {"x-trailing": ["a; b"], "x-trailing-bin": ["AP8"]}


@every_version
@by_dialect
async def test_k14_messages_of_a_stream_arrive_while_its_handler_works(http, dialect):
    async with http.stream(**post(dialect, "Count", note("wait", number=1))) as answer:
        assert answer.headers["x-leading"] == "1"
        pieces = answer.aiter_raw()
        body = b""
        while len(body) < 5:
            body += await anext(pieces)
        assert unpacked(frames(body)[0][1]).number == 0
        assert not reached["finally", "wait"].is_set()


@every_version
@by_dialect
async def test_t6_a_client_that_goes_runs_the_handlers_finally_and_is_no_error(url, http2, dialect, caplog):
    waiting = post(dialect, "Count", note("wait", number=1))
    async with connection(url, http2) as http, http.stream(**waiting) as answer:
        await anext(answer.aiter_raw())
    await reach("finally", "wait")
    assert not caplog.records


@every_version
@by_dialect
async def test_t3_the_deadline_is_the_servers(http, dialect):
    headers = {name.replace("-", "_"): value for name, value in dialect.until(0.05).items()}
    found = await call(http, dialect, "Count", note("wait", number=2), **headers)
    assert (found.code, len(found.messages)) == ("deadline_exceeded", 2)
    assert reached["finally", "wait"].is_set()


@every_version
@by_dialect
@pytest.mark.parametrize("method", ["Echo", "Sum"])
async def test_l3_a8_a_request_over_the_limit_is_answered_and_the_connection_goes_on(http, dialect, method):
    for _ in range(3):
        found = await call(http, dialect, method, note(data=bytes(5_000_000)))
        assert found.code == "resource_exhausted"
        assert texts(await call(http, dialect, "Echo", note("fine"))) == ["FINE"]


@every_version
async def test_a8_a9_a_refusal_that_leaves_the_body_unread_leaves_the_connection_usable(http):
    for _ in range(3):
        answer = await http.post(
            schema.path("Echo"), content=bytes(3_000_000), headers={"content-type": "image/jpeg"}
        )
        assert (answer.status_code, answer.content) == (415, b"")
        assert (await http.post(schema.path("Echo"), json={})).status_code == 200


@every_version
async def test_u2_a_compressed_answer_is_what_the_client_asked_for(http):
    answer = await http.post(
        schema.path("Echo"), json={"text": "a" * 5000}, headers={"accept-encoding": "gzip;q=0.9, br;q=0"}
    )
    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(answer.content) == {"text": "A" * 5000}


@every_version
async def test_r5_r7_r8_what_is_no_call_is_refused_by_http(http):
    path = schema.path("Echo")
    assert (await http.get(path)).status_code == 405
    assert (await http.head(path)).status_code == 405
    assert (await http.post(path, content=b"", headers={"content-type": "text/xml"})).status_code == 415
    assert (await http.post(path.replace("s/E", "s%2FE"), json={})).status_code == 404
    assert (await http.get("/")).status_code == 404
    assert (await http.head("/")).status_code == 404
    assert (await http.post(path, json={})).status_code == 200


@pytest.mark.parametrize("http2", [False])
async def test_r10_grpc_on_http_1_is_505(http):
    headers = {"content-type": "application/grpc", "te": "trailers"}
    assert (await http.post(schema.path("Echo"), content=b"\0" * 5, headers=headers)).status_code == 505


@every_version
@by_dialect
async def test_two_hundred_calls_at_once(http, dialect):
    async def one(number):
        if number % 2:
            return texts(await call(http, dialect, "Echo", note(str(number)))) == [str(number)]
        return len((await call(http, dialect, "Count", note(number=5))).messages) == 5

    assert all(await asyncio.gather(*(one(number) for number in range(200))))
