from __future__ import annotations

import base64
import json
import zlib

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.connect import Connect
from dynconnect.wire.connect_unary import read_query
from dynconnect.wire.events import Data, End, Request, Response

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


def answer(exchange, message=b"", error=None):
    """The status, headers and body of an answer, which must be one head, one body and an end."""
    sent = [*exchange.send(message)] if error is None else []
    response, data, end = [*sent, *exchange.end(error)]
    assert (type(response), type(data), end) == (Response, Data, End())
    return response.status, Metadata(response.headers), data.data


def refused(exchange):
    with pytest.raises(ConnectError) as caught:
        exchange.start()
    return caught.value


# Requests


@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize("message", [b"", b"hi", MESSAGE])
def test_u1_the_message_is_the_whole_body_and_comes_once(message, step):
    assert wire.read(started(), message, step) == [message]


@pytest.mark.parametrize("headers", [{}, {"content-encoding": ""}, {"content-encoding": "identity"}])
def test_u2_c2_no_encoding_means_no_compression(headers):
    assert wire.read(started(headers), MESSAGE) == [MESSAGE]


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_u2_the_content_encoding_names_the_compression(name):
    packed = wire.offer().compressions[name].compress(MESSAGE)
    assert wire.read(started({"content-encoding": name}), packed, 7) == [MESSAGE]


def test_u2_a_body_of_no_bytes_is_never_unpacked():
    assert wire.read(started({"content-encoding": "gzip"}), b"") == [b""]


def test_u2_the_encodings_of_streams_mean_nothing():
    headers = {"connect-content-encoding": "gzip", "connect-accept-encoding": "gzip", "grpc-encoding": "gzip"}
    exchange = started(headers, compress_min_bytes=0)
    assert wire.read(exchange, MESSAGE) == [MESSAGE]
    _, headers, _ = answer(exchange, MESSAGE)
    assert "content-encoding" not in headers


def test_c2_an_unknown_encoding_is_unimplemented_before_the_body_is_read():
    exchange = opened({"content-encoding": "lzma"})
    error = refused(exchange)
    assert error.code is Code.UNIMPLEMENTED
    assert all(name in error.message for name in NAMES.split(", "))
    status, headers, _ = answer(exchange, error=error)
    assert (status, headers["accept-encoding"]) == (501, NAMES)


def test_c5_a_body_that_can_not_be_unpacked_is_invalid():
    with pytest.raises(ConnectError) as caught:
        wire.read(started({"content-encoding": "gzip"}), MESSAGE)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_k12_deflate_is_the_zlib_format():
    exchange = started({"content-encoding": "deflate"})
    assert wire.read(exchange, zlib.compress(MESSAGE)) == [MESSAGE]


@pytest.mark.parametrize("headers", [{}, {"content-encoding": "gzip"}])
def test_l1_l2_a_message_over_the_limit_is_refused_as_soon_as_it_is_seen(headers):
    exchange = started(headers, read_max_bytes=1000)
    with pytest.raises(ConnectError) as caught:
        [exchange.receive(bytes(100)) for _ in range(15)]
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert answer(exchange, error=caught.value)[0] == 429


def test_l2_a_message_that_unpacks_to_more_than_the_limit_is_refused():
    packed = wire.offer().compressions["gzip"].compress(bytes(10_000_000))
    exchange = started({"content-encoding": "gzip"}, read_max_bytes=len(packed))
    with pytest.raises(ConnectError) as caught:
        wire.read(exchange, packed)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


def test_l1_a_message_of_just_the_limit_passes():
    assert wire.read(started(read_max_bytes=len(MESSAGE)), MESSAGE, 1) == [MESSAGE]


@pytest.mark.parametrize(("value", "seconds"), [("0", 0.0), ("250", 0.25), ("9999999999", 9999999.999)])
def test_t1_t2_the_timeout_is_read_from_its_header(value, seconds):
    assert started({"connect-timeout-ms": value}).timeout == seconds


def test_t2_no_header_is_no_timeout():
    assert started().timeout is None


@pytest.mark.parametrize("value", ["-1", "1.5", "12345678901", " "])
def test_t1_k4_a_broken_timeout_is_a_bad_request(value):
    exchange = opened({"connect-timeout-ms": value})
    error = refused(exchange)
    assert error.code is Code.INVALID_ARGUMENT
    assert answer(exchange, error=error)[0] == 400


def test_r14_the_version_must_be_1():
    assert refused(opened({"connect-protocol-version": "2"})).code is Code.INVALID_ARGUMENT
    assert started({"connect-protocol-version": "1"}, require_version=True)


def test_r14_a_missing_version_is_invalid_only_where_it_is_required():
    assert started({})
    assert refused(opened(require_version=True)).code is Code.INVALID_ARGUMENT


# Answers


@pytest.mark.parametrize("codec", wire.CODECS)
def test_u3_u6_r4_success_has_the_codec_of_the_request_and_a_length(codec):
    status, headers, body = answer(started(codec=codec), b"hi")
    assert (status, body) == (200, b"hi")
    assert headers.allitems() == [
        ("content-type", f"application/{codec}"),
        ("content-length", "2"),
        ("accept-encoding", NAMES),
    ]


def test_u6_an_empty_message_is_an_empty_body():
    status, headers, body = answer(started(), b"")
    assert (status, headers["content-length"], body) == (200, "0", b"")


def test_without_compressions_none_are_announced():
    assert "accept-encoding" not in answer(started(compressions={}))[1]


def test_the_head_waits_for_the_outcome():
    exchange = started()
    assert not exchange.head()
    assert not exchange.send(b"hi")
    assert not exchange.head()


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_u2_c3_an_accepted_encoding_is_used_and_named(name):
    status, headers, body = answer(started({"accept-encoding": f"{name};q=0.8, identity"}), MESSAGE)
    assert (status, headers["content-encoding"], headers["content-length"]) == (200, name, str(len(body)))
    assert wire.offer().compressions[name].decompress(body, len(MESSAGE)) == MESSAGE


def test_k19_a_browsers_list_is_no_single_name():
    assert answer(started({"accept-encoding": "gzip, deflate, br"}), MESSAGE)[1]["content-encoding"] == "gzip"


@pytest.mark.parametrize(("size", "packed"), [(99, False), (100, True)])
def test_c4_small_answers_stay_plain(size, packed):
    _, headers, body = answer(started({"accept-encoding": "gzip"}, compress_min_bytes=100), b"m" * size)
    assert ("content-encoding" in headers) is packed
    assert (len(body) != size) is packed


def test_l4_an_answer_over_the_limit_is_an_error_in_its_place():
    exchange = started(send_max_bytes=10)
    with pytest.raises(ConnectError) as caught:
        exchange.send(bytes(11))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert answer(exchange, error=caught.value)[0] == 429


# Errors


@pytest.mark.parametrize("codec", wire.CODECS)
@pytest.mark.parametrize("code", Code)
def test_u4_x1_k4_an_error_is_json_with_the_status_of_its_code(code, codec):
    status, headers, body = answer(started(codec=codec), error=ConnectError(code, "m\u00fc"))
    assert status == code.http_status
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(body))
    assert json.loads(body) == {"code": code.value, "message": "m\u00fc"}


def test_u4_k1_an_error_is_not_packed_and_does_not_say_so():
    exchange = started({"accept-encoding": "gzip"}, compress_min_bytes=0)
    exchange.response_headers["content-encoding"] = "gzip"
    exchange.send(MESSAGE)
    _, headers, body = answer(exchange, error=ConnectError(Code.ABORTED, "m" * 1000))
    assert "content-encoding" not in headers
    assert json.loads(body)["code"] == "aborted"


def test_x5_u4_an_error_after_the_answer_takes_its_place():
    exchange = started()
    exchange.send(b"never seen")
    assert b"never" not in answer(exchange, error=ConnectError(Code.ABORTED))[2]


def test_x2_details_go_out_as_they_were_packed():
    details = [ErrorDetail("a.B", b"\xff"), ErrorDetail("a.C", b"", debug={"x": 1})]
    body = answer(started(), error=ConnectError(Code.ABORTED, "", details))[2]
    assert json.loads(body)["details"] == [
        {"type": "a.B", "value": "/w"},
        {"type": "a.C", "value": "", "debug": {"x": 1}},
    ]


# Metadata


@pytest.mark.parametrize("error", [None, ConnectError(Code.ABORTED)], ids=["success", "error"])
def test_u5_k5_d2_metadata_goes_out_on_success_and_on_error_alike(error):
    exchange = started()
    exchange.response_headers.extend([("x-a", "1"), ("x-a", "2"), ("x-b-bin", "YQ==")])
    exchange.response_trailers.extend([("x-a", "3"), ("x-c", "4"), ("x-a", "5")])
    headers = answer(exchange, error=error)[1]
    assert headers.getall("x-a") == ["1", "2"]
    assert headers["x-b-bin"] == "YQ"
    assert headers.getall("trailer-x-a") == ["3", "5"]
    assert headers["trailer-x-c"] == "4"


def test_x6_metadata_of_an_error_is_among_the_headers():
    exchange = started()
    exchange.response_headers["x-a"] = "1"
    headers = answer(exchange, error=ConnectError(Code.ABORTED, metadata={"x-a": "2", "x-b": "3"}))[1]
    assert (headers.getall("x-a"), headers["x-b"]) == (["1", "2"], "3")


def test_d4_what_would_read_back_as_a_trailer_is_dropped():
    exchange = started()
    exchange.response_headers["trailer-x"] = "1"
    headers = answer(exchange, error=ConnectError(Code.ABORTED, metadata={"trailer-y": "2"}))[1]
    assert [name for name in headers if name.startswith("trailer-")] == []


@pytest.mark.parametrize("place", ["response_headers", "response_trailers"])
def test_d1_metadata_with_a_line_end_ends_the_call_as_internal(place):
    exchange = started()
    getattr(exchange, place)["x-a"] = "a\r\nset-cookie: b"
    exchange.send(b"hi")
    with pytest.raises(ConnectError) as caught:
        exchange.end(None)
    assert caught.value.code is Code.INTERNAL
    status, headers, _ = answer(exchange, error=caught.value)
    assert (status, "set-cookie" in headers, "x-a" in headers) == (500, False, False)


# GET


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
    assert answer(exchange, error=caught.value)[0] == 400


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_g4_the_query_names_the_compression(name):
    packed = wire.offer().compressions[name].compress(MESSAGE)
    text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    assert wire.read(started_get(f"message={text}&base64=1&compression={name}"), b"") == [MESSAGE]


def test_g4_an_unknown_compression_is_unimplemented_and_the_others_are_named():
    error = refused(opened_get("message=&compression=lzma"))
    assert error.code is Code.UNIMPLEMENTED
    assert all(name in error.message for name in NAMES.split(", "))


def test_g4_the_content_encoding_of_a_get_means_nothing():
    assert wire.read(started_get("message=hi", {"content-encoding": "lzma"}), b"") == [b"hi"]


def test_g5_the_timeout_is_in_the_header_and_not_in_the_query():
    assert started_get("message=&connect-timeout-ms=1", {"connect-timeout-ms": "250"}).timeout == 0.25


def test_r14_the_query_says_which_version():
    assert started_get("message=&connect=v1", require_version=True)
    assert refused(opened_get("message=&connect=v2")).code is Code.INVALID_ARGUMENT
    assert refused(opened_get("message=&connect=1")).code is Code.INVALID_ARGUMENT
    assert refused(opened_get("message=", require_version=True)).code is Code.INVALID_ARGUMENT
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
    status, headers, body = answer(exchange, b"hi")
    assert (status, headers["content-type"], body) == (200, f"application/{codec}", b"hi")
    status, headers, body = answer(started_get("message="), error=ConnectError(Code.NOT_FOUND))
    assert (status, headers["content-type"], body) == (404, "application/json", b'{"code":"not_found"}')


@pytest.mark.parametrize("error", [None, ConnectError(Code.ABORTED)], ids=["success", "error"])
def test_g6_every_answer_varies_with_the_accepted_encodings(error):
    exchange = started_get("message=")
    exchange.response_headers.extend({"vary": "cookie", "cache-control": "max-age=60", "etag": '"1"'})
    headers = answer(exchange, error=error)[1]
    assert headers.getall("vary") == ["cookie", "accept-encoding"]
    assert (headers["cache-control"], headers["etag"]) == ("max-age=60", '"1"')


def test_g6_a_post_does_not_vary():
    assert "vary" not in answer(started())[1]


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
    assert answer(exchange, b"hi", error)[0] == (200 if error is None else 409)


def test_g6_a_post_is_never_answered_with_304():
    exchange = started({"if-none-match": "*"})
    exchange.response_headers["etag"] = '"1"'
    assert answer(exchange)[0] == 200


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
