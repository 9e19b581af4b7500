from __future__ import annotations

import base64

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.wire import status
from dynconnect.wire.base import CallOptions
from dynconnect.wire.events import Data, End, Response
from dynconnect.wire.grpc import Grpc, GrpcWeb

NAMES = "gzip, br, zstd, deflate, snappy"
MESSAGE = b"hello" * 100
GZIP = wire.offer().compressions["gzip"]
GRPC, WEB, TEXT = KINDS = ["application/grpc", "application/grpc-web", "application/grpc-web-text"]
each_kind = pytest.mark.parametrize("kind", KINDS)


def opened(kind, *, codec="proto", compressions=None, limits=None, **options):
    offer = wire.offer(compressions=compressions, **(limits or {}))
    protocol = Grpc(offer) if kind == GRPC else GrpcWeb(offer, text=kind == TEXT)
    return protocol.call(wire.PATH, codec, CallOptions(**options), streaming=True)


def response(kind, *headers):
    return Response(200, (("content-type", kind), *headers))


def answer(kind, body, trailers, *headers, step=1000):
    """The events of an answer whose *trailers* stand where *kind* puts them."""
    if kind != GRPC:
        body += wire.envelope(
            "".join(f"{name}: {value}\r\n" for name, value in trailers).encode("latin-1"), 0x80
        )
    if kind == TEXT:
        body = base64.b64encode(body)
    end = End(tuple(trailers)) if kind == GRPC else End()
    return [response(kind, *headers), *map(Data, wire.pieces(body, step)), end]


OK = [("grpc-status", "0")]


# Requests


@each_kind
@pytest.mark.parametrize("codec", wire.CODECS)
def test_r13_r15_a_request_names_path_codec_and_encodings(kind, codec):
    found = opened(kind, codec=codec)
    assert (found.request.method, found.request.path, found.request.query) == ("POST", wire.PATH, "")
    assert found.request.headers.allitems() == [
        ("content-type", f"{kind}+{codec}"),
        ("grpc-accept-encoding", NAMES),
        ("te", "trailers") if kind == GRPC else ("x-grpc-web", "1"),
    ]


def test_w5_calls_are_binary_unless_text_is_asked_for():
    found = GrpcWeb(wire.offer()).call(wire.PATH, "proto", CallOptions(), streaming=False)
    assert found.request.headers["content-type"] == f"{WEB}+proto"
    assert found.send(b"hi") == wire.envelope(b"hi")


@each_kind
def test_without_compressions_none_are_accepted(kind):
    assert "grpc-accept-encoding" not in opened(kind, compressions={}).request.headers


@each_kind
@pytest.mark.parametrize(
    ("seconds", "value"), [(None, None), (0.0, "0n"), (1.5, "1500000u"), (1e12, "99999999H")]
)
def test_t1_the_timeout_goes_out_in_a_unit_that_fits(kind, seconds, value):
    assert opened(kind, timeout=seconds).request.headers.get("grpc-timeout") == value


@each_kind
def test_d2_d3_d4_metadata_goes_out_in_order_without_reserved_names(kind):
    pairs = [
        ("X-A", "1"),
        ("x-b-bin", "YQ=="),
        ("x-a", "2"),
        ("content-type", "no"),
        ("grpc-x", "no"),
        ("te", "no"),
    ]
    items = opened(kind, metadata=pairs).request.headers.allitems()
    assert [pair for pair in items if pair[0] in ("x-a", "x-b-bin")] == [
        ("x-a", "1"),
        ("x-b-bin", "YQ"),
        ("x-a", "2"),
    ]
    assert "no" not in dict(items).values()


@each_kind
def test_d1_metadata_with_a_line_end_is_refused(kind):
    with pytest.raises(ConnectError, match="can't carry") as caught:
        opened(kind, metadata={"x-a": "\n"})
    assert caught.value.code is Code.INTERNAL


@each_kind
def test_e1_e8_w5_messages_are_envelopes_each_packed_on_its_own(kind):
    found = opened(kind, compress=GZIP)
    assert found.request.headers["grpc-encoding"] == "gzip"
    pieces = [found.send(MESSAGE), found.send(b"hi")]
    body = b"".join(map(base64.b64decode, pieces)) if kind == TEXT else b"".join(pieces)
    (flags, packed), small = wire.envelopes(body)
    assert (flags, GZIP.decompress(packed, 500), small) == (1, MESSAGE, (0, b"hi"))


@each_kind
def test_l4_a_request_over_the_limit_is_not_sent(kind):
    with pytest.raises(ConnectError, match="limit of 3") as caught:
        opened(kind, limits={"send_max_bytes": 3}).send(b"1234")
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


# Answers


@each_kind
@pytest.mark.parametrize("step", [1, 3, 4, 5, 6, 1000])
def test_e1_p2_w1_messages_come_before_the_outcome(kind, step):
    found = opened(kind)
    events = answer(kind, wire.frames((0, b"a"), (0, b""), (0, MESSAGE)), OK, ("x-a", "1"), step=step)
    assert wire.feed(found, *events) == [b"a", b"", MESSAGE]
    assert (found.error, found.response_headers["x-a"]) == (None, "1")


@each_kind
@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_e8_packed_and_plain_messages_may_alternate(kind, name):
    packed = wire.offer().compressions[name].compress(MESSAGE)
    found = opened(kind)
    body = wire.frames((1, packed), (0, b"a"), (1, b""))
    assert wire.feed(found, *answer(kind, body, OK, ("grpc-encoding", name))) == [MESSAGE, b"a", b""]
    assert found.error is None


def test_w2_a_packed_trailer_frame_is_read_all_the_same():
    found = opened(WEB)
    body = wire.frames((0x81, GZIP.compress(b"grpc-status: 10\r\n")))
    wire.feed(found, response(WEB, ("grpc-encoding", "gzip")), Data(body), End())
    assert wire.failed(found)[0] is Code.ABORTED


@each_kind
@pytest.mark.parametrize("code", Code)
def test_p2_p3_p4_p7_an_error_is_read_from_the_trailers(kind, code):
    error = ConnectError(code, "g\u00fcnstig", [ErrorDetail("a.B", b"\xff"), ErrorDetail("a.C", b"")])
    trailers = [("x-a", "1"), *status.outcome(error), ("x-b-bin", "YQ"), ("x-a", "2")]
    found = opened(kind)
    assert wire.feed(found, *answer(kind, wire.frames((0, b"a")), trailers, ("x-h", "1"))) == [b"a"]
    assert wire.failed(found) == (code, "g\u00fcnstig")
    assert found.error.details == error.details
    assert found.response_trailers.allitems() == [("x-a", "1"), ("x-b-bin", "YQ"), ("x-a", "2")]
    assert found.response_headers["x-h"] == "1"


@each_kind
@pytest.mark.parametrize("code", [None, Code.ABORTED])
def test_p6_w3_the_outcome_may_stand_alone_in_the_head(kind, code):
    trailers = status.outcome(code and ConnectError(code, "m"))
    found = opened(kind)
    assert wire.feed(found, response(kind, ("x-a", "1"), ("x-a", "2"), *trailers), End()) == []
    assert (found.error and found.error.code) == code
    assert found.response_headers.getall("x-a") == ["1", "2"]
    assert found.response_trailers.getall("x-a") == ["1", "2"]
    assert "grpc-status" not in found.response_trailers


@each_kind
def test_p6_k7_a_status_in_the_head_means_nothing_beside_trailers(kind):
    found = opened(kind)
    wire.feed(
        found, *answer(kind, b"", [("grpc-status", "9"), ("x-a", "1")], ("grpc-status", "8"), ("x-b", "2"))
    )
    assert wire.failed(found)[0] is Code.FAILED_PRECONDITION
    assert found.response_trailers.allitems() == [("x-a", "1")]


@each_kind
def test_p6_a_status_in_the_head_means_nothing_beside_a_body(kind):
    found = opened(kind)
    body = wire.frames((0, b"a"))
    data = base64.b64encode(body) if kind == TEXT else body
    assert wire.feed(found, response(kind, ("grpc-status", "0")), Data(data), End()) == [b"a"]
    assert wire.failed(found) == (Code.INTERNAL, "protocol error: the answer has no grpc-status")


@each_kind
@pytest.mark.parametrize("trailers", [[], [("grpc-message", "oops")], [("x-a", "1")]])
def test_p2_an_answer_without_a_status_is_internal(kind, trailers):
    found = opened(kind)
    events = answer(kind, wire.frames((0, b"a")), trailers) if trailers else [response(kind), End()]
    wire.feed(found, *events)
    assert wire.failed(found) == (Code.INTERNAL, "protocol error: the answer has no grpc-status")


def test_p5_http_trailers_are_not_those_of_grpc_web():
    found = opened(WEB)
    wire.feed(found, response(WEB), Data(wire.frames((0, b"a"))), End((("grpc-status", "0"),)))
    assert wire.failed(found)[0] is Code.INTERNAL


def test_w1_a_trailer_frame_is_not_for_grpc():
    found = opened(GRPC)
    wire.feed(
        found, response(GRPC), Data(wire.frames((0x80, b"grpc-status: 0\r\n"))), End((("grpc-status", "0"),))
    )
    assert wire.failed(found) == (Code.INTERNAL, "protocol error: invalid envelope flags 10000000")


BLOCKS = [
    pytest.param(b"grpc-status: 9\r\nx-a: 1\r\nx-a: 2\r\n", ["1", "2"], id="as we write it"),
    pytest.param(b"Grpc-Status: 9\r\nX-a: 1\r\nx-A: 2\r\n", ["1", "2"], id="names in any case"),
    pytest.param(b"grpc-status:9\r\nx-a:  1 \r\nx-a:2", ["1", "2"], id="other blanks, no last line end"),
    pytest.param(b"grpc-status: 9\r\nx-a: 1, 2\r\n", ["1, 2"], id="joined values"),
    pytest.param(b"grpc-status: 9\r\nx-a: a: b\r\n", ["a: b"], id="a colon in a value"),
    pytest.param(b"grpc-status: 9\r\nx-a: caf\xe9\r\n", ["caf\xe9"], id="beyond ASCII"),
    pytest.param(b"grpc-status: 9\r\nx-a:\r\n", [""], id="no value"),
]


@pytest.mark.parametrize(("block", "values"), BLOCKS)
def test_w1_w4_the_trailers_of_grpc_web_are_lines(block, values):
    found = opened(WEB)
    wire.feed(found, response(WEB), Data(wire.frames((0x80, block))), End())
    assert wire.failed(found)[0] is Code.FAILED_PRECONDITION
    assert found.response_trailers.getall("x-a") == values


BROKEN_BLOCKS = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"\r\n", id="an empty line"),
    pytest.param(b"grpc-status: 0\nx-a: 1\n", id="LF alone"),
    pytest.param(b"grpc-status: 0\r\n\r\n", id="an empty line at the end"),
    pytest.param(b"grpc-status 0\r\n", id="no colon"),
    pytest.param(b": 0\r\n", id="no name"),
]


@pytest.mark.parametrize("block", BROKEN_BLOCKS)
def test_w1_k6_broken_lines_are_internal(block):
    found = opened(WEB)
    wire.feed(found, response(WEB), Data(wire.frames((0x80, block))), End())
    code, message = wire.failed(found)
    assert code is Code.INTERNAL
    assert "invalid trailers" in message


@pytest.mark.parametrize("kind", [WEB, TEXT])
@pytest.mark.parametrize("more", [wire.frames((0, b"a")), wire.frames((0x80, b"grpc-status: 0\r\n"))])
def test_w1_nothing_may_follow_the_trailers_of_grpc_web(kind, more):
    found = opened(kind)
    body = wire.frames((0x80, b"grpc-status: 0\r\n")) + more
    wire.feed(found, response(kind), Data(base64.b64encode(body) if kind == TEXT else body), End())
    assert wire.failed(found) == (Code.INTERNAL, "protocol error: data after the trailers")


@each_kind
@pytest.mark.parametrize("flags", [2, 4, 0x40, 0xFE])
def test_e4_a_flag_that_means_nothing_is_internal(kind, flags):
    found = opened(kind)
    assert wire.feed(found, *answer(kind, wire.frames((0, b"a"), (flags, b"b"), (0, b"c")), OK)) == [b"a"]
    assert wire.failed(found)[0] is Code.INTERNAL


@each_kind
@pytest.mark.parametrize("encoding", [(), (("grpc-encoding", "identity"),)])
def test_e2_a_packed_message_without_an_encoding_is_internal(kind, encoding):
    found = opened(kind)
    assert wire.feed(found, *answer(kind, wire.frames((1, b"a")), OK, *encoding)) == []
    assert wire.failed(found)[0] is Code.INTERNAL


@each_kind
def test_c5_a_message_that_can_not_be_unpacked_is_the_servers_fault(kind):
    found = opened(kind)
    assert wire.feed(found, *answer(kind, wire.frames((1, b"no gzip")), OK, ("grpc-encoding", "gzip"))) == []
    assert wire.failed(found)[0] is Code.INTERNAL


@each_kind
@pytest.mark.parametrize("size", [3, 5, 6])
def test_e5_an_answer_that_ends_inside_an_envelope_is_internal(kind, size):
    found = opened(kind)
    body = wire.frames((0, b"a")) + b"\0\0\0\0\2hi"[:size]
    data = base64.b64encode(body) if kind == TEXT else body
    assert wire.feed(found, response(kind), Data(data), End((("grpc-status", "0"),))) == [b"a"]
    assert wire.failed(found) == (Code.INTERNAL, "protocol error: the body ends inside an envelope")


@each_kind
def test_e6_l1_a_message_is_held_to_the_limit_by_its_prefix(kind):
    found = opened(kind, limits={"read_max_bytes": 8})
    prefix = b"\0\0\0\0\x09."
    assert wire.feed(found, response(kind), Data(base64.b64encode(prefix) if kind == TEXT else prefix)) == []
    assert wire.failed(found)[0] is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("body", [b"AAAA!", b"\0\0\0\0\0\0"])
def test_w5_a_text_answer_that_is_no_base64_is_internal(body):
    found = opened(TEXT)
    wire.feed(found, response(TEXT), Data(body), End())
    code, message = wire.failed(found)
    assert code is Code.INTERNAL
    assert "not base64" in message


@pytest.mark.parametrize("step", [1, 2, 3, 5, 1000])
def test_w5_a_text_answer_may_be_padded_in_the_middle_and_not_at_its_end(step):
    parts = [wire.frames((0, b"a")), wire.frames((0, b"bc")), wire.frames((0x80, b"grpc-status: 0\r\n"))]
    text = b"".join(map(base64.b64encode, parts)).rstrip(b"=")
    found = opened(TEXT)
    assert wire.feed(found, response(TEXT), *map(Data, wire.pieces(text, step)), End()) == [b"a", b"bc"]
    assert found.error is None


@each_kind
def test_r3_a_bare_content_type_means_proto(kind):
    assert wire.feed(opened(kind), *answer(kind, wire.frames((0, b"a")), OK)) == [b"a"]
    found = opened(kind, codec="json")
    assert wire.feed(found, *answer(kind, wire.frames((0, b"a")), OK)) == []
    assert wire.failed(found)[0] is Code.INTERNAL


@each_kind
@pytest.mark.parametrize(
    ("suffix", "code"), [("+proto", None), ("+json", Code.INTERNAL), ("+foo", Code.INTERNAL)]
)
def test_r4_an_answer_in_another_codec_is_internal(kind, suffix, code):
    found = opened(kind)
    _, *events = answer(kind, wire.frames((0, b"a")), OK)
    wire.feed(found, response(kind + suffix), *events)
    assert (found.error and found.error.code) == code


@each_kind
@pytest.mark.parametrize("foreign", ["image/jpeg", "text/html; charset=utf-8", "application/json", ""])
def test_an_answer_that_is_no_rpcs_is_unknown(kind, foreign):
    found = opened(kind)
    assert wire.feed(found, response(foreign), Data(b"\xff\xd8"), End()) == []
    assert wire.failed(found)[0] is Code.UNKNOWN


@each_kind
def test_an_encoding_that_was_not_offered_is_internal(kind):
    found = opened(kind)
    assert wire.feed(found, *answer(kind, wire.frames((1, b"a")), OK, ("grpc-encoding", "lzma"))) == []
    assert wire.failed(found)[0] is Code.INTERNAL


@each_kind
@pytest.mark.parametrize(
    ("code", "expected"), [(404, Code.UNIMPLEMENTED), (415, Code.UNKNOWN), (503, Code.UNAVAILABLE)]
)
def test_x8_an_answer_that_http_refuses_has_the_code_of_the_status(kind, code, expected):
    found = opened(kind)
    assert wire.feed(found, Response(code, (("grpc-status", "5"),)), Data(b"no"), End()) == []
    assert wire.failed(found) == (expected, f"HTTP status {code}")


@each_kind
def test_nothing_is_believed_after_a_fault(kind):
    found = opened(kind)
    wire.feed(found, Response(503), *answer(kind, wire.frames((0, b"a")), OK))
    assert wire.failed(found)[0] is Code.UNAVAILABLE
