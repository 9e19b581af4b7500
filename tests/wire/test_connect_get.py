from __future__ import annotations

import base64

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.connect import Connect
from dynconnect.wire.connect_unary import read_query
from dynconnect.wire.events import End, Request, Response

NAMES = "gzip, br, zstd, deflate, snappy"
MESSAGE = b"hello" * 100


def opened(headers=(), *, codec="proto", **options):
    request = wire.post(f"application/{codec}", headers)
    return Connect(wire.offer(**options)).open(request, codec, streaming=False)


def started(headers=(), **options):
    exchange = opened(headers, **options)
    exchange.start()
    return exchange


def opened_get(query, headers=(), *, codec="proto", **options):
    request = Request("GET", wire.PATH, Metadata(headers), query)
    return Connect(wire.offer(**options)).open(request, codec, streaming=False)


def started_get(query, headers=(), **options):
    exchange = opened_get(query, headers, **options)
    exchange.start()
    return exchange


PARAMETERS = [
    pytest.param("message=hi&encoding=proto", b"hi", id="plain"),
    pytest.param(
        "encoding=proto&message=hi&connect=v1&x=y&=&z", b"hi", id="any order, unknown ones, broken ones"
    ),
    pytest.param("message=hi&message=ho", b"hi", id="the first of two counts"),
    pytest.param("message=a+b%20c%2B", b"a b c+", id="plus is a blank"),
    pytest.param("message=%00%FF", b"\0\xff", id="bytes"),
    pytest.param("%6Dessage=hi", b"hi", id="an encoded name"),
    pytest.param("message=", b"", id="nothing"),
    pytest.param("message", b"", id="nothing, and no equals sign"),
    pytest.param("message=&compression=gzip", b"", id="nothing is never unpacked"),
    pytest.param("message=aGk&base64=1", b"hi", id="base64"),
    pytest.param("message=aGk=&base64=1", b"hi", id="padded"),
    pytest.param("message=aGk%3D&base64=1", b"hi", id="padding percent-encoded"),
    pytest.param("message=-_8&base64=1", b"\xfb\xff", id="URL-safe alphabet"),
    pytest.param("message=%2B%2F8&base64=1", b"\xfb\xff", id="standard alphabet, percent-encoded"),
    pytest.param("message=aGk&base64=0", b"aGk", id="another value is ignored"),
    pytest.param("message=aGk&base64=true", b"aGk", id="a word is ignored"),
    pytest.param("message=aGk&base64=", b"aGk", id="no value is ignored"),
]


@pytest.mark.parametrize(("query", "message"), PARAMETERS)
def test_g1_g2_g3_the_message_is_in_the_query(query, message):
    assert wire.read(started_get(query), b"") == [message]


@pytest.mark.parametrize("value", ["a", "a%00b=", "aG*k", "aG+k", "aGk\xe9"])
def test_g2_broken_base64_is_invalid(value):
    exchange = started_get(f"base64=1&message={value}")
    with pytest.raises(ConnectError, match="not base64") as caught:
        wire.read(exchange, b"")
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_g3_a_missing_message_is_a_bad_request():
    exchange = started_get("encoding=proto&base64=1")
    with pytest.raises(ConnectError, match="message is missing") as caught:
        wire.read(exchange, b"")
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert wire.answer(exchange, error=caught.value)[0] == 400


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_g4_the_query_names_the_compression(name):
    packed = wire.offer().compressions[name].compress(MESSAGE)
    text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    assert wire.read(started_get(f"message={text}&base64=1&compression={name}"), b"") == [MESSAGE]


def test_g4_an_unknown_compression_is_unimplemented_and_the_others_are_named():
    error = wire.refused(opened_get("message=&compression=lzma"))
    assert error.code is Code.UNIMPLEMENTED
    assert all(name in error.message for name in NAMES.split(", "))


def test_g4_the_content_encoding_of_a_get_means_nothing():
    assert wire.read(started_get("message=hi", {"content-encoding": "lzma"}), b"") == [b"hi"]


def test_g5_the_timeout_is_in_the_header_and_not_in_the_query():
    assert started_get("message=&connect-timeout-ms=1", {"connect-timeout-ms": "250"}).timeout == 0.25


def test_r14_the_query_says_which_version():
    assert started_get("message=&connect=v1", require_version=True)
    assert wire.refused(opened_get("message=&connect=v2")).code is Code.INVALID_ARGUMENT
    assert wire.refused(opened_get("message=&connect=1")).code is Code.INVALID_ARGUMENT
    assert wire.refused(opened_get("message=", require_version=True)).code is Code.INVALID_ARGUMENT
    assert started_get("message=", {"connect-protocol-version": "7"})


@pytest.mark.parametrize("query", ["message=123456789", "base64=1&message=MTIzNDU2Nzg5"])
def test_l1_a_message_in_the_query_is_held_to_the_limit(query):
    assert wire.read(started_get(query, read_max_bytes=9), b"") == [b"123456789"]
    with pytest.raises(ConnectError) as caught:
        wire.read(started_get(query, read_max_bytes=8), b"")
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("codec", wire.CODECS)
def test_u3_g8_a_get_is_answered_like_a_post(codec):
    exchange = started_get("message=", codec=codec)
    status, headers, body = wire.answer(exchange, b"hi")
    assert (status, headers["content-type"], body) == (200, f"application/{codec}", b"hi")
    status, headers, body = wire.answer(started_get("message="), error=ConnectError(Code.NOT_FOUND))
    assert (status, headers["content-type"], body) == (404, "application/json", b'{"code":"not_found"}')


@pytest.mark.parametrize("error", [None, ConnectError(Code.ABORTED)], ids=["success", "error"])
def test_g6_every_answer_varies_with_the_accepted_encodings(error):
    exchange = started_get("message=")
    exchange.response_headers.extend({"vary": "cookie", "cache-control": "max-age=60", "etag": '"1"'})
    headers = wire.answer(exchange, error=error)[1]
    assert headers.getall("vary") == ["cookie", "accept-encoding"]
    assert (headers["cache-control"], headers["etag"]) == ("max-age=60", '"1"')


def test_g6_a_post_does_not_vary():
    assert "vary" not in wire.answer(started())[1]


FRESH = [
    pytest.param('"1"', '"1"', id="the same"),
    pytest.param('"1"', 'W/"1"', id="a weak one of the client's"),
    pytest.param('W/"1"', '"1"', id="a weak one of ours"),
    pytest.param('"1"', '"0", "1"', id="one of several"),
    pytest.param('"1"', "*", id="any"),
]


@pytest.mark.parametrize(("etag", "held"), FRESH)
def test_g6_a_client_that_holds_the_answer_gets_no_body(etag, held):
    exchange = started_get("message=", {"if-none-match": held})
    exchange.response_headers["etag"] = etag
    exchange.send(b"hi")
    response, end = exchange.end(None)
    assert (response.status, end) == (304, End())
    headers = dict(response.headers)
    assert (headers["etag"], headers["vary"]) == (etag, "accept-encoding")
    assert not headers.keys() & {"content-length", "content-type", "content-encoding"}


@pytest.mark.parametrize(
    ("etag", "held", "error"),
    [
        ('"1"', '"2"', None),
        (None, '"1"', None),
        (None, "*", None),
        ('"1"', None, None),
        ('"1"', '"1"', ConnectError(Code.ABORTED)),
    ],
    ids=["another", "ours has no tag", "ours has no tag, any", "theirs has none", "an error"],
)
def test_g6_any_other_client_gets_the_answer(etag, held, error):
    exchange = started_get("message=", {} if held is None else {"if-none-match": held})
    if etag is not None:
        exchange.response_headers["etag"] = etag
    assert wire.answer(exchange, b"hi", error)[0] == (200 if error is None else 409)


def test_g6_a_post_is_never_answered_with_304():
    exchange = started({"if-none-match": "*"})
    exchange.response_headers["etag"] = '"1"'
    assert wire.answer(exchange)[0] == 200


def test_r12_a_body_on_a_get_is_refused_by_http_itself():
    exchange = started_get("message=hi")
    assert list(exchange.receive(b"")) == []
    with pytest.raises(ConnectError) as caught:
        exchange.receive(b"body")
    events = exchange.end(caught.value)
    assert events == (Response(415, (("content-length", "0"),)), End())


def test_r12_extra_parameters_of_a_post_are_ignored():
    request = wire.post("application/proto")._replace(query="message=no&compression=lzma&base64=1&connect=v9")
    exchange = Connect(wire.offer()).open(request, "proto", streaming=False)
    exchange.start()
    assert wire.read(exchange, b"hi") == [b"hi"]


def test_g1_a_query_is_read_leniently():
    assert read_query("") == {"": b""}
    assert read_query("a=1=2&b&=c&a=3") == {"a": b"1=2", "b": b"", "": b"c"}
    assert read_query("%zz=%zz&%E2%82%AC=%FF") == {"%zz": b"%zz", "\xe2\x82\xac": b"\xff"}
