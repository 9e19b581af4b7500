from __future__ import annotations

import json

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.wire.connect import Connect
from dynconnect.wire.events import Data, End, Response

NAMES = "gzip, br, zstd, deflate, snappy"
MESSAGE = b"hello" * 100


def opened(headers=(), *, codec="proto", **options):
    request = wire.post(f"application/connect+{codec}", headers)
    return Connect(wire.offer(**options)).open(request, codec, streaming=True)


def started(headers=(), **options):
    exchange = opened(headers, **options)
    exchange.start()
    return exchange


def outcome(events):
    """What the end-stream message says; it must be the last thing of all, and plain."""
    *_, last, end = events
    assert end == End(), "HTTP trailers"
    *_, (flags, data) = wire.envelopes(last.data)
    assert flags == 2
    return json.loads(data)


# Requests


@pytest.mark.parametrize("step", [1, 4, 5, 6, 1000])
@pytest.mark.parametrize("messages", [[], [b""], [b"a", b"", b"bc"], [MESSAGE] * 3])
def test_e1_messages_are_found_wherever_the_chunks_fall(messages, step):
    body = b"".join(map(wire.envelope, messages))
    assert wire.read(started(), body, step) == messages


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_s2_e8_its_own_header_names_the_compression(name):
    packed = wire.offer().compressions[name].compress(MESSAGE)
    body = wire.envelope(packed, 1) + wire.envelope(b"plain") + wire.envelope(packed, 1)
    assert wire.read(started({"connect-content-encoding": name}), body, 9) == [MESSAGE, b"plain", MESSAGE]


def test_s2_the_encodings_of_http_mean_nothing():
    exchange = started({"content-encoding": "lzma", "accept-encoding": "gzip"}, compress_min_bytes=0)
    assert wire.read(exchange, wire.envelope(b"hi")) == [b"hi"]
    events = exchange.send(MESSAGE)
    assert wire.envelopes(wire.body_of(events)) == [(0, MESSAGE)]
    assert not {"content-encoding", "connect-content-encoding"} & set(wire.head_of(events)[1])


def test_e2_a_compressed_message_without_a_named_encoding_is_internal():
    for headers in ({}, {"connect-content-encoding": "identity"}):
        with pytest.raises(ConnectError) as caught:
            wire.read(started(headers), wire.envelope(MESSAGE, 1))
        assert caught.value.code is Code.INTERNAL


def test_e3_an_empty_envelope_is_never_unpacked():
    assert wire.read(started({"connect-content-encoding": "gzip"}), wire.envelope(b"", 1)) == [b""]


@pytest.mark.parametrize("flags", [2, 3, 4, 8, 16, 32, 64, 128, 255])
def test_e4_any_other_flag_is_internal_and_never_an_end(flags):
    packed = wire.offer().compressions["gzip"].compress(b"{}")
    data = packed if flags & 1 else b"{}"
    exchange = started({"connect-content-encoding": "gzip"})
    with pytest.raises(ConnectError, match="flags") as caught:
        wire.read(exchange, wire.envelope(data, flags))
    assert caught.value.code is Code.INTERNAL


@pytest.mark.parametrize("size", [1, 4, 5, 6])
def test_e5_a_body_that_ends_inside_an_envelope_is_invalid(size):
    with pytest.raises(ConnectError) as caught:
        wire.read(started(), b"\0\0\0\0\2hi"[:size])
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_e6_a_size_over_the_limit_is_refused_by_its_prefix():
    with pytest.raises(ConnectError) as caught:
        list(started(read_max_bytes=8).receive(b"\0\0\0\0\x09"))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


def test_c5_a_message_that_can_not_be_unpacked_is_invalid():
    with pytest.raises(ConnectError) as caught:
        wire.read(started({"connect-content-encoding": "gzip"}), wire.envelope(MESSAGE, 1))
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_c2_s1_an_unknown_encoding_is_unimplemented_with_status_200():
    exchange = opened({"connect-content-encoding": "lzma"})
    error = wire.refused(exchange)
    assert error.code is Code.UNIMPLEMENTED
    events = exchange.end(error)
    status, headers = wire.head_of(events)
    assert (status, headers["connect-accept-encoding"]) == (200, NAMES)
    assert outcome(events)["error"]["code"] == "unimplemented"


@pytest.mark.parametrize("value", ["+1", "1.5", "12345678901"])
def test_t1_s1_a_broken_timeout_is_an_error_with_status_200(value):
    exchange = opened({"connect-timeout-ms": value})
    events = exchange.end(wire.refused(exchange))
    assert wire.head_of(events)[0] == 200
    assert outcome(events)["error"]["code"] == "invalid_argument"


def test_t1_the_timeout_is_read_from_its_header():
    assert started({"connect-timeout-ms": "250"}).timeout == 0.25
    assert started().timeout is None


def test_r14_the_version_must_be_1():
    assert wire.refused(opened({"connect-protocol-version": "2"})).code is Code.INVALID_ARGUMENT
    assert wire.refused(opened(require_version=True)).code is Code.INVALID_ARGUMENT
    assert started({"connect-protocol-version": "1"}, require_version=True)


# Answers


@pytest.mark.parametrize("codec", wire.CODECS)
def test_e7_k14_the_head_goes_out_before_and_each_message_at_once(codec):
    exchange = started(codec=codec)
    (head,) = exchange.head()
    assert head == Response(
        200, (("content-type", f"application/connect+{codec}"), ("connect-accept-encoding", NAMES))
    )
    assert exchange.head() == ()
    assert list(exchange.send(b"a")) == [Data(b"\0\0\0\0\1a")]
    assert list(exchange.send(b"")) == [Data(b"\0\0\0\0\0")]
    assert list(exchange.end(None)) == [Data(b"\2\0\0\0\2{}"), End()]


def test_e7_the_first_message_brings_the_head_along():
    exchange = started()
    assert [type(event) for event in exchange.send(b"a")] == [Response, Data]
    assert [type(event) for event in exchange.send(b"b")] == [Data]


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_s2_c4_e8_answers_are_packed_each_on_its_own(name):
    exchange = started({"connect-accept-encoding": name}, compress_min_bytes=100)
    events = [*exchange.send(b"short"), *exchange.send(MESSAGE), *exchange.send(MESSAGE), *exchange.end(None)]
    assert wire.head_of(events)[1]["connect-content-encoding"] == name
    short, first, second, last = wire.envelopes(wire.body_of(events))
    assert (short, last) == ((0, b"short"), (2, b"{}"))
    assert first == second
    assert first[0] == 1
    assert wire.offer().compressions[name].decompress(first[1], len(MESSAGE)) == MESSAGE


def test_s5_the_end_message_is_plain_whatever_was_agreed():
    exchange = started({"connect-accept-encoding": "gzip"}, compress_min_bytes=0)
    assert outcome(exchange.end(ConnectError(Code.ABORTED, "m" * 1000)))["error"]["code"] == "aborted"


def test_l4_an_answer_over_the_limit_is_an_error_after_those_before():
    exchange = started(send_max_bytes=10)
    events = [*exchange.send(b"a")]
    with pytest.raises(ConnectError) as caught:
        exchange.send(bytes(11))
    events += exchange.end(caught.value)
    assert wire.envelopes(wire.body_of(events))[0] == (0, b"a")
    assert outcome(events)["error"]["code"] == "resource_exhausted"


# Outcomes


@pytest.mark.parametrize("code", Code)
def test_s1_s3_k4_every_error_has_status_200_and_is_in_the_end_message(code):
    events = started().end(ConnectError(code, "m\u00fc"))
    assert wire.head_of(events)[0] == 200
    assert outcome(events) == {"error": {"code": code.value, "message": "m\u00fc"}}


def test_x5_messages_before_an_error_arrive():
    exchange = started()
    events = [*exchange.send(b"a"), *exchange.end(ConnectError(Code.ABORTED))]
    assert wire.envelopes(wire.body_of(events)) == [(0, b"a"), (2, b'{"error":{"code":"aborted"}}')]


def test_s3_the_end_message_is_sent_once_also_without_messages():
    events = started().end(None)
    assert [type(event) for event in events] == [Response, Data, End]
    assert wire.envelopes(wire.body_of(events)) == [(2, b"{}")]


def test_s4_s8_k2_k3_d2_d3_trailing_metadata_is_lists_of_strings_in_the_end_message():
    exchange = started()
    exchange.response_headers["x-a"] = "leading"
    exchange.response_trailers.extend([("x-a", "1"), ("x-b-bin", "YQ=="), ("x-a", "2")])
    events = exchange.end(None)
    assert outcome(events) == {"metadata": {"x-a": ["1", "2"], "x-b-bin": ["YQ"]}}
    headers = wire.head_of(events)[1]
    assert headers["x-a"] == "leading"
    assert "x-b-bin" not in headers


def test_x6_k5_metadata_of_an_error_follows_the_trailers_and_leading_metadata_is_kept():
    exchange = started()
    exchange.response_headers["x-h"] = "1"
    exchange.response_trailers["x-a"] = "2"
    events = exchange.end(ConnectError(Code.ABORTED, metadata=[("x-a", "3")]))
    assert outcome(events) == {"error": {"code": "aborted"}, "metadata": {"x-a": ["2", "3"]}}
    assert wire.head_of(events)[1]["x-h"] == "1"


def test_s4_x2_k3_nothing_is_null():
    error = ConnectError(Code.ABORTED, details=[ErrorDetail("a.B", b"\xff")])
    assert outcome(started().end(error)) == {
        "error": {"code": "aborted", "details": [{"type": "a.B", "value": "/w"}]}
    }


def test_d4_trailers_named_like_connects_own_headers_are_dropped():
    exchange = started()
    exchange.response_trailers.extend({"connect-x": "1", "content-type": "2", "grpc-status": "0"})
    assert outcome(exchange.end(None)) == {}


@pytest.mark.parametrize("place", ["response_headers", "response_trailers"])
def test_d1_metadata_with_a_line_end_ends_the_call_as_internal(place):
    exchange = started()
    getattr(exchange, place)["x-a"] = "a\r\nb: c"
    with pytest.raises(ConnectError) as caught:
        exchange.end(None)
    events = exchange.end(caught.value)
    assert outcome(events)["error"]["code"] == "internal"
    assert "x-a" not in wire.head_of(events)[1]


def test_d1_a_bad_header_is_found_when_the_head_is_made_and_the_error_can_still_go_out():
    exchange = started()
    exchange.response_headers["x-a"] = "\n"
    with pytest.raises(ConnectError) as caught:
        exchange.send(b"hi")
    events = exchange.end(caught.value)
    assert wire.head_of(events)[0] == 200
    assert wire.envelopes(wire.body_of(events))[0][0] == 2
