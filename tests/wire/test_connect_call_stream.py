from __future__ import annotations

import json

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.wire.base import CallOptions
from dynconnect.wire.connect import Connect
from dynconnect.wire.events import Data, End, Response

MESSAGE = b"hello" * 100


def call(*, streaming, codec="proto", compressions=None, limits=None, **options):
    offer = wire.offer(compressions=compressions, **(limits or {}))
    return Connect(offer).call(wire.PATH, codec, CallOptions(**options), streaming=streaming)


def stream(**options):
    return call(streaming=True, **options)


def response(kind, status=200, **headers):
    pairs = ((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status, (("content-type", f"application/{kind}"), *pairs))


@pytest.mark.parametrize("step", [1, 4, 5, 6, 1000])
def test_e1_s3_messages_come_before_the_outcome(step):
    found = stream()
    body = wire.frames((0, b"a"), (0, b""), (0, MESSAGE), (2, b"{}"))
    events = [response("connect+proto", x_a="1"), *map(Data, wire.pieces(body, step)), End()]
    assert wire.feed(found, *events) == [b"a", b"", MESSAGE]
    assert (found.error, found.response_headers["x-a"]) == (None, "1")


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate", "snappy"])
def test_e8_s5_packed_and_plain_messages_may_alternate_and_the_outcome_may_be_packed(name):
    compression = wire.offer().compressions[name]
    body = wire.frames(
        (1, compression.compress(MESSAGE)),
        (0, b"a"),
        (1, b""),
        (3, compression.compress(b'{"error":{"code":"aborted"}}')),
    )
    found = stream()
    headers = response("connect+proto", connect_content_encoding=name)
    assert wire.feed(found, headers, Data(body), End()) == [MESSAGE, b"a", b""]
    assert wire.failed(found)[0] is Code.ABORTED


OUTCOMES = [
    pytest.param(b'{"metadata":{}}', None, "", id="empty metadata"),
    pytest.param(b'{"error":null,"metadata":null}', None, "", id="nulls"),
    pytest.param(b'{"unknown":1}', None, "", id="a member to come"),
    pytest.param(b'{"error":{"code":"not_found","message":"m"}}', Code.NOT_FOUND, "m", id="an error"),
    pytest.param(
        b'{"error":{"code":"invalid_argument"}}', Code.INVALID_ARGUMENT, "", id="the callers fault stays so"
    ),
    pytest.param(b'{"error":{"code":null,"message":"m"}}', Code.UNKNOWN, "m", id="no code"),
    pytest.param(b'{"error":{"message":"m"}}', Code.UNKNOWN, "m", id="a code that is left out"),
    pytest.param(b'{"error":{"code":"foobar","message":"m"}}', Code.UNKNOWN, "m", id="an unknown code"),
    pytest.param(b'{"error":"oops"}', Code.UNKNOWN, "", id="an error that is no object"),
    pytest.param(b"null", Code.INTERNAL, "no JSON object", id="null"),
    pytest.param(b"[]", Code.INTERNAL, "no JSON object", id="a list"),
    pytest.param(b"", Code.INTERNAL, "no JSON object", id="nothing"),
    pytest.param(b"{", Code.INTERNAL, "no JSON object", id="no JSON"),
    pytest.param(b"{\xff}", Code.INTERNAL, "no JSON object", id="no UTF-8"),
]


@pytest.mark.parametrize(("data", "code", "message"), OUTCOMES)
def test_s3_s4_the_end_stream_message_is_the_outcome(data, code, message):
    found = stream()
    assert wire.feed(found, response("connect+proto"), Data(wire.frames((0, b"a"), (2, data))), End()) == [
        b"a"
    ]
    assert (found.error and found.error.code) == code
    assert message in (found.error.message if found.error else "")


def test_s4_s8_d2_d3_trailing_metadata_is_in_the_end_stream_message():
    found = stream()
    outcome = {"metadata": {"X-A": ["1", "2"], "x-b-bin": ["YQ"], "odd": "v", "odder": [1, None]}}
    wire.feed(found, response("connect+proto"), Data(wire.frames((2, json.dumps(outcome).encode()))), End())
    assert found.response_trailers.allitems() == [("x-a", "1"), ("x-a", "2"), ("x-b-bin", "YQ")]
    assert found.error is None


FAULTS = [
    pytest.param(b"", "no end-stream message", id="nothing"),
    pytest.param(wire.frames((0, b"a")), "no end-stream message", id="no outcome"),
    pytest.param(wire.frames((2, b"{}"), (0, b"a")), "data after", id="a message after the outcome"),
    pytest.param(wire.frames((2, b"{}"), (2, b"{}")), "data after", id="two outcomes"),
    pytest.param(wire.frames((2, b"{}")) + b"\0", "ends inside", id="a byte after the outcome"),
    pytest.param(wire.frames((0, b"a"))[:-1], "ends inside", id="half a message"),
    pytest.param(wire.frames((4, b"a")), "flags 00000100", id="a flag that means nothing"),
    pytest.param(wire.frames((0x80, b"grpc-status: 0\r\n")), "flags 10000000", id="trailers of gRPC-Web"),
    pytest.param(
        wire.frames((1, b"a")), "no compression was named", id="a packed message without an encoding"
    ),
]


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize(("body", "message"), FAULTS)
def test_e2_e4_e5_s3_an_answer_that_breaks_the_protocol_is_internal(body, message, step):
    found = stream()
    wire.feed(found, response("connect+proto"), *map(Data, wire.pieces(body, step)), End())
    code, text = wire.failed(found)
    assert code is Code.INTERNAL
    assert message in text


def test_x5_messages_before_a_fault_are_given_and_none_after_it():
    found = stream()
    body = wire.frames((0, b"a"), (4, b"b"), (0, b"c"))
    assert wire.feed(found, response("connect+proto"), Data(body), Data(wire.frames((0, b"d"))), End()) == [
        b"a"
    ]


def test_e6_l1_a_stream_message_is_held_to_the_limit_by_its_prefix():
    found = stream(limits={"read_max_bytes": 8})
    assert wire.feed(found, response("connect+proto"), Data(b"\0\0\0\0\x09")) == []
    assert wire.failed(found)[0] is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("status", "code"), [(404, Code.UNIMPLEMENTED), (415, Code.UNKNOWN), (503, Code.UNAVAILABLE)]
)
def test_x8_a_stream_that_http_refuses_has_the_code_of_the_status(status, code):
    found = stream()
    assert wire.feed(found, Response(status), Data(b"no"), End()) == []
    assert wire.failed(found) == (code, f"HTTP status {status}")


@pytest.mark.parametrize("kind", ["connect+json", "connect+foo"])
def test_a_stream_in_another_codec_is_internal(kind):
    found = stream()
    assert wire.feed(found, response(kind), Data(wire.frames((2, b"{}"))), End()) == []
    assert wire.failed(found)[0] is Code.INTERNAL
