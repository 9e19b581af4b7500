from __future__ import annotations

import json
import zlib

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.wire.connect import Connect

NAMES = "gzip, br, zstd, deflate, snappy"
MESSAGE = b"hello" * 100


def opened(headers=(), *, codec="proto", **options):
    request = wire.post(f"application/{codec}", headers)
    return Connect(wire.offer(**options)).open(request, codec, streaming=False)


def started(headers=(), **options):
    exchange = opened(headers, **options)
    exchange.start()
    return exchange


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
    _, headers, _ = wire.answer(exchange, MESSAGE)
    assert "content-encoding" not in headers


def test_c2_an_unknown_encoding_is_unimplemented_before_the_body_is_read():
    exchange = opened({"content-encoding": "lzma"})
    error = wire.refused(exchange)
    assert error.code is Code.UNIMPLEMENTED
    assert all(name in error.message for name in NAMES.split(", "))
    status, headers, _ = wire.answer(exchange, error=error)
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
    assert wire.answer(exchange, error=caught.value)[0] == 429


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
    error = wire.refused(exchange)
    assert error.code is Code.INVALID_ARGUMENT
    assert wire.answer(exchange, error=error)[0] == 400


def test_r14_the_version_must_be_1():
    assert wire.refused(opened({"connect-protocol-version": "2"})).code is Code.INVALID_ARGUMENT
    assert started({"connect-protocol-version": "1"}, require_version=True)


def test_r14_a_missing_version_is_invalid_only_where_it_is_required():
    assert started({})
    assert wire.refused(opened(require_version=True)).code is Code.INVALID_ARGUMENT


# Answers


@pytest.mark.parametrize("codec", wire.CODECS)
def test_u3_u6_r4_success_has_the_codec_of_the_request_and_a_length(codec):
    status, headers, body = wire.answer(started(codec=codec), b"hi")
    assert (status, body) == (200, b"hi")
    assert headers.allitems() == [
        ("content-type", f"application/{codec}"),
        ("content-length", "2"),
        ("accept-encoding", NAMES),
    ]


def test_u6_an_empty_message_is_an_empty_body():
    status, headers, body = wire.answer(started(), b"")
    assert (status, headers["content-length"], body) == (200, "0", b"")


def test_without_compressions_none_are_announced():
    assert "accept-encoding" not in wire.answer(started(compressions={}))[1]


def test_the_head_waits_for_the_outcome():
    exchange = started()
    assert not exchange.head()
    assert not exchange.send(b"hi")
    assert not exchange.head()


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_u2_c3_an_accepted_encoding_is_used_and_named(name):
    status, headers, body = wire.answer(started({"accept-encoding": f"{name};q=0.8, identity"}), MESSAGE)
    assert (status, headers["content-encoding"], headers["content-length"]) == (200, name, str(len(body)))
    assert wire.offer().compressions[name].decompress(body, len(MESSAGE)) == MESSAGE


def test_k19_a_browsers_list_is_no_single_name():
    assert (
        wire.answer(started({"accept-encoding": "gzip, deflate, br"}), MESSAGE)[1]["content-encoding"]
        == "gzip"
    )


@pytest.mark.parametrize(("size", "packed"), [(99, False), (100, True)])
def test_c4_small_answers_stay_plain(size, packed):
    _, headers, body = wire.answer(started({"accept-encoding": "gzip"}, compress_min_bytes=100), b"m" * size)
    assert ("content-encoding" in headers) is packed
    assert (len(body) != size) is packed


def test_l4_an_answer_over_the_limit_is_an_error_in_its_place():
    exchange = started(send_max_bytes=10)
    with pytest.raises(ConnectError) as caught:
        exchange.send(bytes(11))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert wire.answer(exchange, error=caught.value)[0] == 429


# Errors


@pytest.mark.parametrize("codec", wire.CODECS)
@pytest.mark.parametrize("code", Code)
def test_u4_x1_k4_an_error_is_json_with_the_status_of_its_code(code, codec):
    status, headers, body = wire.answer(started(codec=codec), error=ConnectError(code, "m\u00fc"))
    assert status == code.http_status
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(body))
    assert json.loads(body) == {"code": code.value, "message": "m\u00fc"}


def test_u4_k1_an_error_is_not_packed_and_does_not_say_so():
    exchange = started({"accept-encoding": "gzip"}, compress_min_bytes=0)
    exchange.response_headers["content-encoding"] = "gzip"
    exchange.send(MESSAGE)
    _, headers, body = wire.answer(exchange, error=ConnectError(Code.ABORTED, "m" * 1000))
    assert "content-encoding" not in headers
    assert json.loads(body)["code"] == "aborted"


def test_x5_u4_an_error_after_the_answer_takes_its_place():
    exchange = started()
    exchange.send(b"never seen")
    assert b"never" not in wire.answer(exchange, error=ConnectError(Code.ABORTED))[2]


def test_x2_details_go_out_as_they_were_packed():
    details = [ErrorDetail("a.B", b"\xff"), ErrorDetail("a.C", b"", debug={"x": 1})]
    body = wire.answer(started(), error=ConnectError(Code.ABORTED, "", details))[2]
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
    headers = wire.answer(exchange, error=error)[1]
    assert headers.getall("x-a") == ["1", "2"]
    assert headers["x-b-bin"] == "YQ"
    assert headers.getall("trailer-x-a") == ["3", "5"]
    assert headers["trailer-x-c"] == "4"


def test_x6_metadata_of_an_error_is_among_the_headers():
    exchange = started()
    exchange.response_headers["x-a"] = "1"
    headers = wire.answer(exchange, error=ConnectError(Code.ABORTED, metadata={"x-a": "2", "x-b": "3"}))[1]
    assert (headers.getall("x-a"), headers["x-b"]) == (["1", "2"], "3")


def test_d4_what_would_read_back_as_a_trailer_is_dropped():
    exchange = started()
    exchange.response_headers["trailer-x"] = "1"
    headers = wire.answer(exchange, error=ConnectError(Code.ABORTED, metadata={"trailer-y": "2"}))[1]
    assert [name for name in headers if name.startswith("trailer-")] == []


@pytest.mark.parametrize("place", ["response_headers", "response_trailers"])
def test_d1_metadata_with_a_line_end_ends_the_call_as_internal(place):
    exchange = started()
    getattr(exchange, place)["x-a"] = "a\r\nset-cookie: b"
    exchange.send(b"hi")
    with pytest.raises(ConnectError) as caught:
        exchange.end(None)
    assert caught.value.code is Code.INTERNAL
    status, headers, _ = wire.answer(exchange, error=caught.value)
    assert (status, "set-cookie" in headers, "x-a" in headers) == (500, False, False)
