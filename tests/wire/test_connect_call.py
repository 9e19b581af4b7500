from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.wire.base import CallOptions
from dynconnect.wire.connect import Connect
from dynconnect.wire.events import Data, End, Response

NAMES = "gzip, br, zstd, deflate, snappy"
MESSAGE = b"hello" * 100
GZIP = wire.offer().compressions["gzip"]


def call(*, streaming, codec="proto", compressions=None, limits=None, **options):
    offer = wire.offer(compressions=compressions, **(limits or {}))
    return Connect(offer).call(wire.PATH, codec, CallOptions(**options), streaming=streaming)


def unary(**options):
    return call(streaming=False, **options)


def stream(**options):
    return call(streaming=True, **options)


def response(kind, status=200, **headers):
    pairs = ((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status, (("content-type", f"application/{kind}"), *pairs))


# Requests


@pytest.mark.parametrize("codec", wire.CODECS)
@pytest.mark.parametrize(("streaming", "kind"), [(False, ""), (True, "connect+")])
def test_r14_r15_a_request_names_path_codec_version_and_encodings(streaming, kind, codec):
    found = call(streaming=streaming, codec=codec)
    assert (found.request.method, found.request.path, found.request.query) == ("POST", wire.PATH, "")
    assert found.request.headers.allitems() == [
        ("content-type", f"application/{kind}{codec}"),
        ("connect-protocol-version", "1"),
        ("connect-accept-encoding" if streaming else "accept-encoding", NAMES),
    ]


@pytest.mark.parametrize("streaming", [False, True])
def test_without_compressions_none_are_accepted(streaming):
    names = set(call(streaming=streaming, compressions={}).request.headers)
    assert names == {"content-type", "connect-protocol-version"}


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("seconds", "value"), [(None, None), (0.0, "0"), (1.2345, "1234"), (1e12, "9999999999")]
)
def test_t1_the_timeout_goes_out_in_milliseconds(streaming, seconds, value):
    assert call(streaming=streaming, timeout=seconds).request.headers.get("connect-timeout-ms") == value


@pytest.mark.parametrize("streaming", [False, True])
def test_d2_d3_d4_metadata_goes_out_in_order_without_reserved_names(streaming):
    pairs = [
        ("X-A", "1"),
        ("x-b-bin", "YQ=="),
        ("x-a", "2"),
        ("content-type", "no"),
        ("connect-x", "no"),
        ("host", "no"),
    ]
    headers = call(streaming=streaming, metadata=pairs).request.headers
    assert [pair for pair in headers.allitems() if pair[0].startswith("x-")] == [
        ("x-a", "1"),
        ("x-b-bin", "YQ"),
        ("x-a", "2"),
    ]
    assert not [value for value in headers.values() if value == "no"]


@pytest.mark.parametrize("streaming", [False, True])
def test_d1_metadata_with_a_line_end_is_refused_and_left_as_it_is(streaming):
    metadata = {"x-a": "a\r\nb: c"}
    with pytest.raises(ConnectError, match="can't carry") as caught:
        call(streaming=streaming, metadata=metadata)
    assert caught.value.code is Code.INTERNAL
    assert metadata == {"x-a": "a\r\nb: c"}


def test_u1_a_unary_message_is_the_bare_body():
    found = unary()
    assert found.send(MESSAGE) == MESSAGE
    assert "content-encoding" not in found.request.headers


def test_u2_c4_a_unary_message_is_packed_if_it_is_worth_it():
    found = unary(compress=GZIP)
    assert GZIP.decompress(found.send(MESSAGE), 500) == MESSAGE
    assert found.request.headers["content-encoding"] == "gzip"
    small = unary(compress=GZIP)
    assert small.send(b"hi") == b"hi"
    assert "content-encoding" not in small.request.headers


def test_e1_s2_e8_stream_messages_are_envelopes_each_packed_on_its_own():
    found = stream(compress=GZIP)
    assert found.request.headers["connect-content-encoding"] == "gzip"
    (flags, packed), small = wire.envelopes(found.send(MESSAGE) + found.send(b"hi"))
    assert (flags, GZIP.decompress(packed, 500), small) == (1, MESSAGE, (0, b"hi"))


@pytest.mark.parametrize("streaming", [False, True])
def test_l4_a_request_over_the_limit_is_not_sent(streaming):
    with pytest.raises(ConnectError, match="limit of 3") as caught:
        call(streaming=streaming, limits={"send_max_bytes": 3}).send(b"1234")
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


# GET


@pytest.mark.parametrize("codec", wire.CODECS)
def test_g1_g2_g5_a_method_without_side_effects_is_asked_by_get(codec):
    found = unary(codec=codec, no_side_effects=True, timeout=1, metadata={"x-a": "1"})
    assert found.send(b"\xfb\xff") == b""
    assert (found.request.method, found.request.path) == ("GET", wire.PATH)
    assert found.request.query == f"connect=v1&encoding={codec}&base64=1&message=-_8"
    assert found.request.headers.allitems() == [
        ("connect-timeout-ms", "1000"),
        ("x-a", "1"),
        ("accept-encoding", NAMES),
    ]


def test_g4_a_packed_message_is_named_in_the_query():
    found = unary(no_side_effects=True, compress=GZIP)
    found.send(MESSAGE)
    assert parse_qs(found.request.query)["compression"] == ["gzip"]
    assert "content-encoding" not in found.request.headers


def test_g1_the_same_message_has_the_same_query_so_that_caches_know_it():
    queries = set()
    for _ in range(2):
        found = unary(no_side_effects=True)
        found.send(MESSAGE)
        queries.add(found.request.query)
    assert len(queries) == 1


def test_a_message_too_long_for_a_query_goes_by_post():
    found = unary(no_side_effects=True)
    assert found.send(bytes(7000)) == bytes(7000)
    assert (found.request.method, found.request.query) == ("POST", "")
    assert found.request.headers["content-type"] == "application/proto"


def test_g8_a_stream_is_never_asked_by_get():
    found = stream(no_side_effects=True)
    assert found.send(b"hi") == wire.envelope(b"hi")
    assert found.request.method == "POST"


# Unary answers


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_u3_the_whole_body_is_the_message(step):
    found = unary()
    events = [response("proto"), *map(Data, wire.pieces(MESSAGE, step)), End()]
    assert wire.feed(found, *events) == [MESSAGE]
    assert found.error is None


def test_u6_no_body_is_the_empty_message():
    assert wire.feed(unary(), response("proto"), End()) == [b""]


def test_r2_the_charset_of_a_json_answer_does_not_matter():
    assert wire.feed(unary(codec="json"), response("json; charset=utf-8"), End()) == [b""]


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_u2_a_packed_answer_is_unpacked(name):
    packed = wire.offer().compressions[name].compress(MESSAGE)
    found = unary()
    assert wire.feed(found, response("proto", content_encoding=name), Data(packed), End()) == [MESSAGE]


def test_u5_trailing_metadata_comes_as_headers():
    found = unary()
    headers = (
        ("content-type", "application/proto"),
        ("x-a", "1"),
        ("trailer-x-a", "2"),
        ("trailer-x-b-bin", "YQ"),
        ("trailer-x-a", "3"),
    )
    wire.feed(found, Response(200, headers), End())
    assert found.response_headers.allitems() == [("content-type", "application/proto"), ("x-a", "1")]
    assert found.response_trailers.allitems() == [("x-a", "2"), ("x-b-bin", "YQ"), ("x-a", "3")]
    assert found.response_trailers.get_binary("x-b-bin") == [b"a"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [("json", Code.INTERNAL), ("connect+proto", Code.INTERNAL), ("grpc", Code.INTERNAL)],
)
def test_a_unary_answer_in_another_codec_is_internal(kind, code):
    found = unary()
    assert wire.feed(found, response(kind), Data(b"{}"), End()) == []
    assert wire.failed(found)[0] is code


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("headers", [(), (("content-type", "image/jpeg"),), (("content-type", "text/html"),)])
def test_an_answer_that_is_no_rpcs_is_unknown(streaming, headers):
    found = call(streaming=streaming)
    assert wire.feed(found, Response(200, headers), Data(b"\xff\xd8"), End()) == []
    assert wire.failed(found)[0] is Code.UNKNOWN


@pytest.mark.parametrize(
    ("streaming", "name"), [(False, "content-encoding"), (True, "connect-content-encoding")]
)
def test_an_encoding_that_was_not_offered_is_internal(streaming, name):
    found = call(streaming=streaming)
    kind = "application/connect+proto" if streaming else "application/proto"
    assert wire.feed(found, Response(200, (("content-type", kind), (name, "lzma"))), Data(b"hi"), End()) == []
    assert wire.failed(found)[0] is Code.INTERNAL


def test_l1_c5_a_unary_answer_is_held_to_the_limit_and_to_its_encoding():
    found = unary(limits={"read_max_bytes": 8})
    assert wire.feed(found, response("proto"), Data(b"12345678"), Data(b"9"), End()) == []
    assert wire.failed(found)[0] is Code.RESOURCE_EXHAUSTED
    found = unary()
    assert wire.feed(found, response("proto", content_encoding="gzip"), Data(b"no gzip"), End()) == []
    assert wire.failed(found)[0] is Code.INTERNAL


@pytest.mark.parametrize("code", Code)
def test_x1_x2_u4_an_error_is_read_from_its_json(code):
    value = {
        "code": code.value,
        "message": "m\u00fc",
        "details": [{"type": "a.B", "value": "/w", "debug": 1, "more": 2}],
    }
    found = unary()
    body = json.dumps(value).encode()
    headers = response("json", code.http_status, x_a="1", trailer_x_b="2")
    assert wire.feed(found, headers, *map(Data, wire.pieces(body, 5)), End()) == []
    assert wire.failed(found) == (code, "m\u00fc")
    assert found.error.details == (ErrorDetail("a.B", b"\xff", debug=1),)
    assert (found.response_headers["x-a"], found.response_trailers["x-b"]) == ("1", "2")


def test_r2_the_charset_of_an_error_does_not_matter():
    found = unary()
    wire.feed(found, response("json; charset=utf-8", 409), Data(b'{"code":"aborted","message":"m"}'), End())
    assert wire.failed(found) == (Code.ABORTED, "m")


def test_u2_a_packed_error_is_unpacked():
    found = unary()
    body = GZIP.compress(b'{"code":"aborted","message":"m"}')
    wire.feed(found, response("json", 409, content_encoding="gzip"), Data(body), End())
    assert wire.failed(found) == (Code.ABORTED, "m")


BROKEN_ERRORS = [
    pytest.param(401, b"null", Code.UNAUTHENTICATED, "", id="null"),
    pytest.param(401, b'{"code":null,"message":"oops"}', Code.UNAUTHENTICATED, "oops", id="no code"),
    pytest.param(401, b'{"message":"oops"}', Code.UNAUTHENTICATED, "oops", id="a code that is left out"),
    pytest.param(429, b'{"code":"foobar","message":"oops"}', Code.UNAVAILABLE, "oops", id="an unknown code"),
    pytest.param(
        422, b'{"code":"out_of_range","foobar":"baz"}', Code.OUT_OF_RANGE, "", id="an unknown member"
    ),
    pytest.param(503, b"", Code.UNAVAILABLE, "", id="nothing"),
    pytest.param(500, b"{", Code.UNKNOWN, "", id="no JSON"),
    pytest.param(500, b'"\xff"', Code.UNKNOWN, "", id="no UTF-8"),
    pytest.param(500, b"[" * 100_000, Code.UNKNOWN, "", id="deeper than Python reads"),
]


@pytest.mark.parametrize(("status", "body", "code", "message"), BROKEN_ERRORS)
def test_x8_a_broken_error_has_the_code_of_its_status(status, body, code, message):
    found = unary()
    assert wire.feed(found, response("json", status), Data(body), End()) == []
    assert wire.failed(found) == (code, message)


@pytest.mark.parametrize("kind", ["proto", "connect+proto", "octet-stream"])
def test_x8_an_error_that_is_no_json_has_the_code_of_its_status(kind):
    found = unary()
    assert wire.feed(found, response(kind, 403), Data(b"whatever"), End()) == []
    assert wire.failed(found) == (Code.PERMISSION_DENIED, "HTTP status 403")
