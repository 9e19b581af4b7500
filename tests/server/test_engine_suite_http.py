"""What every engine must carry, by plain HTTP/1.1 and HTTP/2: Connect and gRPC-Web on loopback."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlencode

import httpx
import pytest
from support import schema
from support.asgi import GUARD
from support.dialects import DIALECTS, Answer, frames
from support.engine import ENGINES, notes_on
from support.full_duplex import full_duplex
from support.peer import texts
from support.schema import note, packed, unpacked

CONNECT, _, WEB = DIALECTS


@pytest.fixture(params=ENGINES)
async def notes(request):
    async with notes_on(request.param) as notes:
        yield notes


every_version = pytest.mark.parametrize("http2", [False, True], ids=["http1", "h2c"])
by_dialect = pytest.mark.parametrize("dialect", [CONNECT, WEB], ids=["connect", "grpcweb"])


def connection(url, http2):
    return httpx.AsyncClient(base_url=url, http1=not http2, http2=http2, timeout=GUARD, trust_env=False)


@pytest.fixture
async def http(notes, http2):
    async with connection(notes.url, http2) as http:
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
async def test_k14_messages_of_a_stream_arrive_while_its_handler_works(notes, http, dialect):
    async with http.stream(**post(dialect, "Count", note("then wait", number=1))) as answer:
        assert answer.headers["x-leading"] == "1"
        pieces = answer.aiter_raw()
        body = b""
        while len(body) < 5:
            body += await anext(pieces)
        assert unpacked(frames(body)[0][1]).number == 0
        assert not notes.reached("count's finally")


@every_version
@by_dialect
async def test_t6_a_client_that_goes_runs_the_handlers_finally_and_is_no_error(notes, http2, dialect, caplog):
    waiting = post(dialect, "Count", note("then wait", number=1))
    async with connection(notes.url, http2) as http, http.stream(**waiting) as answer:
        await anext(answer.aiter_raw())
    await notes.reach("count's finally")
    assert not caplog.records


@every_version
@by_dialect
async def test_t3_the_deadline_is_the_servers(notes, http, dialect):
    headers = {name.replace("-", "_"): value for name, value in dialect.until(0.05).items()}
    found = await call(http, dialect, "Count", note("then wait", number=2), **headers)
    assert (found.code, len(found.messages)) == ("deadline_exceeded", 2)
    assert notes.reached("count's finally")


# httpx sends all of a request before it reads: over HTTP/2, an answer that comes earlier is lost on it.


@pytest.mark.parametrize("http2", [False], ids=["http1"])
@by_dialect
@pytest.mark.parametrize("method", ["Echo", "Sum"])
async def test_l3_a8_a_request_over_the_limit_is_answered_and_the_connection_goes_on(http, dialect, method):
    for _ in range(3):
        found = await call(http, dialect, method, note(data=bytes(5_000_000)))
        assert found.code == "resource_exhausted"
        assert texts(await call(http, dialect, "Echo", note("fine"))) == ["FINE"]


@pytest.mark.parametrize("http2", [False], ids=["http1"])
async def test_a8_a_refusal_that_leaves_the_body_unread_leaves_the_connection_usable(http):
    for _ in range(3):
        answer = await http.post(
            schema.path("Echo"), content=bytes(3_000_000), headers={"content-type": "image/jpeg"}
        )
        assert (answer.status_code, answer.content) == (415, b"")
        assert (await http.post(schema.path("Echo"), json={})).status_code == 200


@by_dialect
@pytest.mark.parametrize("method", ["Echo", "Sum"])
async def test_l3_a9_over_http_2_too_a_request_over_the_limit_is_answered(notes, dialect, method):
    async with full_duplex(notes.url) as http:
        for _ in range(3):
            request = post(dialect, method, note(data=bytes(5_000_000)))
            answer = await http.post(request["url"], request["content"], request["headers"])
            assert dialect.read(answer, method == "Sum").code == "resource_exhausted"
            request = post(dialect, "Echo", note("fine"))
            answer = await http.post(request["url"], request["content"], request["headers"])
            assert texts(dialect.read(answer, streaming=False)) == ["FINE"]


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [(schema.path("Echo"), "image/jpeg", 415), (schema.path("Missing"), "application/json", 404)],
)
async def test_a9_k16_a_refusal_over_http_2_leaves_the_connection_usable(notes, path, kind, status):
    async with full_duplex(notes.url) as http:
        for size in (1, 3_000_000, 1):
            answer = await http.post(path, bytes(size), {"content-type": kind, "content-length": str(size)})
            assert answer.status == status
        answer = await http.post(schema.path("Echo"), b"{}", {"content-type": "application/json"})
        assert (answer.status, answer.body) == (200, b"{}")


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
