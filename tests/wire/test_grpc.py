from __future__ import annotations

import base64

import pytest
from google.rpc.status_pb2 import Status
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.wire.events import Data, End, Response
from dynconnect.wire.grpc import Grpc, GrpcWeb

NAMES = "gzip, br, zstd, deflate, snappy"
MESSAGE = b"hello" * 100
TEXT = "application/grpc-web-text"


def opened(kind, headers=(), *, codec="proto", **options):
    protocol = GrpcWeb if "grpc-web" in kind else Grpc
    return protocol(wire.offer(**options)).open(wire.post(kind, headers), codec, streaming=True)


def started(kind, headers=(), **options):
    exchange = opened(kind, headers, **options)
    exchange.start()
    return exchange


def plain(kind, events):
    """The body of an answer without base64, each piece decoded on its own."""
    data = [event.data for event in events if isinstance(event, Data)]
    return b"".join(base64.b64decode(piece, validate=True) if kind == TEXT else piece for piece in data)


def outcome(kind, events):
    """Pairs of the trailers of an answer, wherever *kind* puts them; they must be its end."""
    if kind == "application/grpc":
        return wire.trailers_of(events).allitems()
    *_, last, end = events
    assert end == End(), "HTTP trailers, which browsers do not see"
    *_, (flags, block) = wire.envelopes(plain(kind, [last]))
    assert flags == 0x80
    assert block.endswith(b"\r\n")
    lines = block.decode("latin-1").removesuffix("\r\n").split("\r\n")
    return [tuple(line.split(": ", 1)) for line in lines]


def messages(kind, events):
    """The messages of an answer as frames, without the one that holds the trailers."""
    return [frame for frame in wire.envelopes(plain(kind, events)) if frame[0] != 0x80]


def sent(kind, body):
    return base64.b64encode(body) if kind == TEXT else body


KINDS = ["application/grpc", "application/grpc-web", TEXT]
each_kind = pytest.mark.parametrize("kind", KINDS)


# Requests, the same for all


@each_kind
@pytest.mark.parametrize("step", [1, 3, 4, 5, 6, 1000])
@pytest.mark.parametrize(
    "found", [[], [b""], [b"a", b"", b"bc"], [MESSAGE] * 3], ids=["none", "empty", "three", "long"]
)
def test_e1_w5_messages_are_found_wherever_the_chunks_fall(kind, found, step):
    body = sent(kind, b"".join(map(wire.envelope, found)))
    assert wire.read(started(kind), body, step) == found


@each_kind
@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_e8_w7_messages_are_packed_each_on_its_own(kind, name):
    packed = wire.offer().compressions[name].compress(MESSAGE)
    body = wire.envelope(packed, 1) + wire.envelope(b"plain") + wire.envelope(packed, 1)
    assert wire.read(started(kind, {"grpc-encoding": name}), sent(kind, body), 9) == [
        MESSAGE,
        b"plain",
        MESSAGE,
    ]


@each_kind
@pytest.mark.parametrize("headers", [{}, {"grpc-encoding": "identity"}, {"content-encoding": "gzip"}])
def test_e2_a_compressed_message_without_a_named_encoding_is_internal(kind, headers):
    with pytest.raises(ConnectError) as caught:
        wire.read(started(kind, headers), sent(kind, wire.envelope(MESSAGE, 1)))
    assert caught.value.code is Code.INTERNAL


@each_kind
def test_e3_an_empty_envelope_is_never_unpacked(kind):
    assert wire.read(started(kind, {"grpc-encoding": "gzip"}), sent(kind, wire.envelope(b"", 1))) == [b""]


@each_kind
@pytest.mark.parametrize("flags", [2, 4, 8, 16, 32, 64, 128, 254])
def test_e4_any_other_flag_is_internal_and_never_an_end(kind, flags):
    with pytest.raises(ConnectError, match="flags") as caught:
        wire.read(started(kind), sent(kind, wire.envelope(b"hi", flags)))
    assert caught.value.code is Code.INTERNAL


@each_kind
@pytest.mark.parametrize("size", [1, 4, 5, 6])
def test_e5_a_body_that_ends_inside_an_envelope_is_invalid(kind, size):
    with pytest.raises(ConnectError) as caught:
        wire.read(started(kind), sent(kind, b"\0\0\0\0\2hi"[:size]))
    assert caught.value.code is Code.INVALID_ARGUMENT


@each_kind
def test_e6_a_size_over_the_limit_is_refused_by_its_prefix(kind):
    with pytest.raises(ConnectError) as caught:
        list(started(kind, read_max_bytes=8).receive(sent(kind, b"\0\0\0\0\x09.")))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


@each_kind
def test_c5_a_message_that_can_not_be_unpacked_is_invalid(kind):
    with pytest.raises(ConnectError) as caught:
        wire.read(started(kind, {"grpc-encoding": "gzip"}), sent(kind, wire.envelope(MESSAGE, 1)))
    assert caught.value.code is Code.INVALID_ARGUMENT


@each_kind
def test_p10_c2_an_unknown_encoding_is_unimplemented_and_the_others_are_named(kind):
    exchange = opened(kind, {"grpc-encoding": "lzma"})
    error = wire.refused(exchange)
    assert error.code is Code.UNIMPLEMENTED
    events = exchange.end(error)
    status, headers = wire.head_of(events)
    assert (status, headers["grpc-accept-encoding"]) == (200, NAMES)
    assert outcome(kind, events)[0] == ("grpc-status", "12")


@each_kind
@pytest.mark.parametrize("value", ["+1S", "1.5S", " 1S", "123456789n", "1s", "1"])
def test_t1_p1_a_broken_timeout_is_an_error_with_status_200(kind, value):
    exchange = opened(kind, {"grpc-timeout": value})
    events = exchange.end(wire.refused(exchange))
    assert wire.head_of(events)[0] == 200
    assert outcome(kind, events)[0] == ("grpc-status", "3")


@each_kind
@pytest.mark.parametrize(("value", "seconds"), [("0n", 0.0), ("250m", 0.25), ("99999999H", 359999996400.0)])
def test_t1_t2_the_timeout_is_read_from_its_header(kind, value, seconds):
    assert started(kind, {"grpc-timeout": value}).timeout == seconds
    assert started(kind).timeout is None


# Answers, the same for all


@each_kind
@pytest.mark.parametrize("codec", wire.CODECS)
def test_p1_r4_e7_k14_the_head_goes_out_before_and_each_message_at_once(kind, codec):
    exchange = started(kind, codec=codec)
    (head,) = exchange.head()
    assert head == Response(200, (("content-type", f"{kind}+{codec}"), ("grpc-accept-encoding", NAMES)))
    assert list(exchange.head()) == []
    assert [type(event) for event in exchange.send(b"a")] == [Data]
    assert messages(kind, exchange.send(b"")) == [(0, b"")]


@each_kind
def test_e7_the_first_message_brings_the_head_along(kind):
    exchange = started(kind)
    assert [type(event) for event in exchange.send(b"a")] == [Response, Data]
    assert [type(event) for event in exchange.send(b"b")] == [Data]


@each_kind
@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_p1_w7_c4_answers_are_packed_as_was_agreed(kind, name):
    exchange = started(kind, {"grpc-accept-encoding": f"lz4,{name}"}, compress_min_bytes=100)
    events = [*exchange.send(b"short"), *exchange.send(MESSAGE), *exchange.end(None)]
    assert wire.head_of(events)[1]["grpc-encoding"] == name
    short, (flags, packed) = messages(kind, events)
    assert (short, flags) == ((0, b"short"), 1)
    assert wire.offer().compressions[name].decompress(packed, len(MESSAGE)) == MESSAGE


@each_kind
def test_w7_nothing_is_packed_without_the_header(kind):
    exchange = started(kind, {"accept-encoding": "gzip"}, compress_min_bytes=0)
    events = exchange.send(MESSAGE)
    assert messages(kind, events) == [(0, MESSAGE)]
    assert "grpc-encoding" not in wire.head_of(events)[1]


@each_kind
def test_p2_p6_k7_the_status_is_sent_once_and_never_in_the_head(kind):
    exchange = started(kind)
    exchange.response_headers["grpc-status"] = "0"
    exchange.response_trailers["grpc-status"] = "0"
    events = exchange.end(ConnectError(Code.ABORTED, metadata={"grpc-status": "0"}))
    assert "grpc-status" not in wire.head_of(events)[1]
    assert outcome(kind, events) == [("grpc-status", "10")]


@each_kind
@pytest.mark.parametrize("code", [None, *Code])
def test_p1_p2_every_outcome_has_status_200(kind, code):
    events = started(kind).end(code and ConnectError(code))
    assert wire.head_of(events)[0] == 200
    assert outcome(kind, events) == [("grpc-status", str(code.number if code else 0))]


@each_kind
def test_p3_the_message_is_percent_encoded(kind):
    events = started(kind).end(ConnectError(Code.ABORTED, "50%\t\n\u00fc\U0001f600"))
    assert outcome(kind, events)[1] == ("grpc-message", "50%25%09%0A%C3%BC%F0%9F%98%80")


@each_kind
@pytest.mark.parametrize("codec", wire.CODECS)
def test_p4_details_are_binary_whatever_the_codec(kind, codec):
    error = ConnectError(Code.ABORTED, "m", [ErrorDetail("a.B", b"\xff")])
    value = dict(outcome(kind, started(kind, codec=codec).end(error)))["grpc-status-details-bin"]
    status = Status.FromString(base64.b64decode(value + "=" * (-len(value) % 4)))
    assert (status.code, status.message, status.details[0].value) == (10, "m", b"\xff")


@each_kind
def test_x5_messages_before_an_error_arrive(kind):
    exchange = started(kind)
    events = [*exchange.send(b"a"), *exchange.end(ConnectError(Code.ABORTED))]
    assert messages(kind, events) == [(0, b"a")]
    assert outcome(kind, events) == [("grpc-status", "10")]


@each_kind
@pytest.mark.parametrize("code", [None, Code.ABORTED])
def test_p7_k5_x6_d3_metadata_goes_out_on_success_and_on_error_alike(kind, code):
    exchange = started(kind)
    exchange.response_headers.extend([("x-a", "1"), ("x-b-bin", "YQ=="), ("x-a", "2")])
    exchange.response_trailers.extend(
        [("x-c", "3"), ("x-d-bin", "YWI="), ("connect-x", "no"), ("grpc-x", "no")]
    )
    events = exchange.end(code and ConnectError(code, metadata={"x-c": "x-c of the error", "x-e": "4"}))
    headers = wire.head_of(events)[1]
    assert (headers.getall("x-a"), headers["x-b-bin"]) == (["1", "2"], "YQ")
    trailers = outcome(kind, events)[1:]
    # gRPC-Web may join values: either way they are read as the same (D2).
    values = [value.strip() for name, line in trailers if name == "x-c" for value in line.split(",")]
    assert values == (["3"] if code is None else ["3", "x-c of the error"])
    assert [name for name in dict(trailers) if name != "x-c"] == (
        ["x-d-bin"] if code is None else ["x-d-bin", "x-e"]
    )
    assert dict(trailers)["x-d-bin"] == "YWI"


@each_kind
@pytest.mark.parametrize("place", ["response_headers", "response_trailers"])
def test_d1_k6_metadata_with_a_line_end_ends_the_call_as_internal(kind, place):
    exchange = started(kind)
    getattr(exchange, place)["x-a"] = "a\r\ngrpc-status: 0"
    with pytest.raises(ConnectError) as caught:
        exchange.end(None)
    events = exchange.end(caught.value)
    assert outcome(kind, events)[0] == ("grpc-status", "13")
    assert "x-a" not in {*wire.head_of(events)[1], *dict(outcome(kind, events))}


@each_kind
def test_l4_an_answer_over_the_limit_is_an_error_after_those_before(kind):
    exchange = started(kind, send_max_bytes=10)
    events = [*exchange.send(b"a")]
    with pytest.raises(ConnectError) as caught:
        exchange.send(bytes(11))
    events += exchange.end(caught.value)
    assert messages(kind, events) == [(0, b"a")]
    assert outcome(kind, events)[0] == ("grpc-status", "8")


@each_kind
def test_p6_w3_the_outcome_never_stands_alone_in_the_head(kind):
    events = started(kind).end(ConnectError(Code.ABORTED))
    assert [type(event) for event in events] == (
        [Response, End] if kind == "application/grpc" else [Response, Data, End]
    )


def test_p5_k8_the_trailers_of_grpc_are_http_trailers_and_nothing_follows_them():
    exchange = started("application/grpc")
    exchange.response_trailers["x-a"] = "1"
    events = [*exchange.send(b"hi"), *exchange.end(None)]
    assert events[1:] == [Data(b"\0\0\0\0\2hi"), End((("grpc-status", "0"), ("x-a", "1")))]


@pytest.mark.parametrize("streaming", [False, True])
def test_r3_each_protocol_claims_its_types_and_the_bare_ones_mean_proto(streaming):
    assert Grpc(wire.offer()).content_types(("proto", "json"), streaming=streaming) == {
        "application/grpc": "proto",
        "application/grpc+proto": "proto",
        "application/grpc+json": "json",
    }
    claimed = GrpcWeb(wire.offer()).content_types(("proto",), streaming=streaming)
    assert list(claimed) == ["application/grpc-web", "application/grpc-web+proto", TEXT, f"{TEXT}+proto"]
