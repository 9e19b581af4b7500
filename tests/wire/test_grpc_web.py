from __future__ import annotations

import base64
import itertools

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.events import Data, End
from dynconnect.wire.grpc import GrpcWeb

TEXT = "application/grpc-web-text"


def opened(kind, headers=(), *, codec="proto", **options):
    return GrpcWeb(wire.offer(**options)).open(wire.post(kind, headers), codec, streaming=True)


def started(kind, headers=(), **options):
    exchange = opened(kind, headers, **options)
    exchange.start()
    return exchange


def plain(kind, events):
    """The body of an answer without base64, each piece decoded on its own."""
    data = [event.data for event in events if isinstance(event, Data)]
    return b"".join(base64.b64decode(piece, validate=True) if kind == TEXT else piece for piece in data)


def outcome(kind, events):
    """Pairs of the trailers of an answer, which must be its end."""
    *_, last, end = events
    assert end == End(), "HTTP trailers, which browsers do not see"
    *_, (flags, block) = wire.envelopes(plain(kind, [last]))
    assert flags == 0x80
    assert block.endswith(b"\r\n")
    lines = block.decode("latin-1").removesuffix("\r\n").split("\r\n")
    return [tuple(line.split(": ", 1)) for line in lines]


def test_w1_w2_k6_the_trailers_of_grpc_web_are_one_plain_frame_of_lines():
    exchange = started("application/grpc-web", {"grpc-accept-encoding": "gzip"}, compress_min_bytes=0)
    exchange.response_trailers["X-Capital"] = "A: b"
    events = exchange.end(ConnectError(Code.ABORTED, "m" * 300))
    block = b"grpc-status: 10\r\ngrpc-message: " + b"m" * 300 + b"\r\nx-capital: A: b\r\n"
    assert list(events[1:]) == [Data(wire.envelope(block, 0x80)), End()]


def test_w4_values_of_one_name_are_one_line_unless_one_has_a_comma():
    exchange = started("application/grpc-web")
    exchange.response_trailers.extend(
        [("x-a", "1"), ("x-b", "1"), ("x-b", "2, 3"), ("x-a", "2"), ("x-c-bin", "YQ"), ("x-c-bin", "Yg")]
    )
    assert outcome("application/grpc-web", exchange.end(None)) == [
        ("grpc-status", "0"),
        ("x-a", "1, 2"),
        ("x-b", "1"),
        ("x-b", "2, 3"),
        ("x-c-bin", "YQ, Yg"),
    ]


def test_w1_values_beyond_ascii_are_the_bytes_they_came_as():
    exchange = started("application/grpc-web")
    exchange.response_trailers["x-a"] = "caf\xe9"
    assert b"caf\xe9\r\n" in wire.body_of(exchange.end(None))


@pytest.mark.parametrize(
    ("kind", "accept", "text_in", "text_out"),
    [
        ("application/grpc-web", "", False, False),
        ("application/grpc-web", "application/grpc-web", False, False),
        ("application/grpc-web", "application/grpc-web-text", False, True),
        ("application/grpc-web+proto", "*/*, Application/Grpc-Web-Text+Proto", False, True),
        (TEXT, "", True, True),
        ("Application/Grpc-Web-Text+Proto", "application/grpc-web", True, True),
    ],
)
def test_w5_w6_an_answer_is_text_if_the_request_is_or_asks_for_it(kind, accept, text_in, text_out):
    exchange = GrpcWeb(wire.offer()).open(wire.post(kind, {"accept": accept}), "proto", streaming=True)
    exchange.start()
    body = wire.envelope(b"hi")
    assert wire.read(exchange, base64.b64encode(body) if text_in else body, 1) == [b"hi"]
    events = exchange.send(b"hi")
    assert (
        wire.head_of(events)[1]["content-type"] == (TEXT if text_out else "application/grpc-web") + "+proto"
    )
    assert wire.body_of(events) == (base64.b64encode(body) if text_out else body)


@pytest.mark.parametrize("step", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("cut", [1, 2, 3, 4, 7])
def test_w5_a_text_request_may_be_padded_in_the_middle(cut, step):
    body = wire.envelope(b"abc") + wire.envelope(b"") + wire.envelope(b"defgh")
    text = b"".join(map(base64.b64encode, wire.pieces(body, cut)))
    assert wire.read(started(TEXT), text, step) == [b"abc", b"", b"defgh"]


def test_w5_each_piece_of_a_text_answer_is_encoded_on_its_own():
    exchange = started(TEXT)
    events = list(itertools.chain(exchange.send(b"a"), exchange.send(b"bc"), exchange.end(None)))
    assert [event.data for event in events if isinstance(event, Data)] == [
        base64.b64encode(wire.envelope(b"a")),
        base64.b64encode(wire.envelope(b"bc")),
        base64.b64encode(wire.envelope(b"grpc-status: 0\r\n", 0x80)),
    ]


def test_w5_padding_may_be_missing_at_the_end_of_a_text_request():
    assert wire.read(started(TEXT), b"AAAAAAJoaQ", 3) == [b"hi"]


@pytest.mark.parametrize("body", [b"\0\0\0\0\2hi", b"AAAA!AJoaQ==", b"AAAAAAJoa"])
def test_w5_a_text_request_that_is_no_base64_is_invalid(body):
    with pytest.raises(ConnectError, match="not base64") as caught:
        wire.read(started(TEXT), body)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_text_exchanges_share_metadata_and_codec_with_what_they_wrap():
    exchange = started(TEXT, {"grpc-timeout": "1S"}, codec="json")
    exchange.response_headers["x-a"] = "1"
    exchange.response_trailers["x-b"] = "2"
    events = exchange.end(None)
    assert (exchange.codec, exchange.timeout) == ("json", 1.0)
    assert wire.head_of(events)[1]["x-a"] == "1"
    assert ("x-b", "2") in outcome(TEXT, events)
