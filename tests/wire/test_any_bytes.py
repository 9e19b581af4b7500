"""Whatever a peer sends, a core answers with messages or with a ConnectError, and with nothing else."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import wire

from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.base import CallOptions
from dynconnect.wire.choose import Chooser
from dynconnect.wire.connect import Connect
from dynconnect.wire.events import Data, End, Request, Response
from dynconnect.wire.grpc import Grpc, GrpcWeb

SERVER = Chooser(wire.offer(read_max_bytes=1000), wire.CODECS)
TYPES = {
    "application/proto": False,
    "application/connect+proto": True,
    "application/grpc": True,
    "application/grpc-web": True,
    "application/grpc-web-text": True,
}
CLIENTS = {
    "application/proto": lambda offer: Connect(offer),
    "application/connect+proto": lambda offer: Connect(offer),
    "application/grpc": lambda offer: Grpc(offer),
    "application/grpc-web": lambda offer: GrpcWeb(offer),
    "application/grpc-web-text": lambda offer: GrpcWeb(offer, text=True),
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "message", "details", "type", "value", "metadata", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())
blocks = st.lists(
    st.sampled_from([b"grpc-status: 0", b"grpc-status: 99", b"grpc-message: %zz", b"x", b"\xff: \n", b""])
).map(b"\r\n".join)
payloads = st.binary(max_size=30) | json_values | blocks
envelopes = st.builds(wire.envelope, payloads, st.sampled_from([0, 0, 0, 1, 2, 3, 0x80, 0x81, 0xFF]))
bodies = st.lists(envelopes | st.binary(max_size=6), max_size=5).map(b"".join)
bodies |= bodies.map(base64.b64encode) | payloads
# As HTTP hands headers over: any byte but NUL, CR and LF.
values = st.text(st.characters(max_codepoint=0xFF, exclude_characters="\0\r\n"), max_size=12)
values |= st.sampled_from(
    ["gzip", "snappy", "identity", "0", "1", "5", "1S", "99999999H", "application/json", "YQ", "*", '"1"']
)
names = st.sampled_from(
    [
        "accept-encoding",
        "connect-accept-encoding",
        "connect-content-encoding",
        "connect-protocol-version",
        "connect-timeout-ms",
        "content-encoding",
        "grpc-accept-encoding",
        "grpc-encoding",
        "grpc-message",
        "grpc-status",
        "grpc-status-details-bin",
        "grpc-timeout",
        "if-none-match",
        "trailer-x",
        "x-a",
        "x-b-bin",
    ]
)
heads = st.lists(st.tuples(names, values), max_size=4)
thorough = settings(max_examples=300, deadline=None, derandomize=True, database=None)


def answered(exchange, body, step):
    """What a server does with a call, from its head to its outcome."""
    error = None
    try:
        exchange.start()
        for message in wire.read(exchange, body, step):
            exchange.response_headers.extend(exchange.response_trailers)
            exchange.send(message)
    except ConnectError as exc:
        error = exc
    return exchange.end(error)


@pytest.mark.parametrize("kind", TYPES)
@given(head=heads, body=bodies, step=st.sampled_from([1, 3, 1000]))
@thorough
def test_a_server_survives_any_request(kind, head, body, step):
    request, streaming = wire.post(kind, head), TYPES[kind]
    *_, end = answered(SERVER.post(kind, streaming=streaming).open(request, streaming=streaming), body, step)
    assert isinstance(end, End)


parameters = st.sampled_from(["message", "encoding", "base64", "compression", "connect", "x", "%", ""])
queries = st.lists(st.tuples(parameters, values).map("=".join), max_size=5).map("&".join)


@given(query=queries, head=heads, body=st.binary(max_size=2))
@thorough
def test_a_server_survives_any_get(query, head, body):
    request = Request("GET", wire.PATH, Metadata(head), f"encoding=json&{query}")
    *_, end = answered(SERVER.get(request.query).open(request, streaming=False), body, 1)
    assert isinstance(end, End)


@pytest.mark.parametrize("kind", CLIENTS)
@given(
    status=st.sampled_from([200, 200, 200, 404, 500]),
    foreign=st.sampled_from([None, None, None, "application/json", "", "text/html"]),
    head=heads,
    body=bodies,
    trailers=st.none() | heads.map(tuple),
    step=st.sampled_from([1, 3, 1000]),
)
@thorough
def test_a_client_survives_any_answer(kind, status, foreign, head, body, trailers, step):
    protocol = CLIENTS[kind](wire.offer(read_max_bytes=1000))
    call = protocol.call(wire.PATH, "proto", CallOptions(), streaming=TYPES[kind])
    content_type = ("content-type", kind if foreign is None else foreign)
    events = [Response(status, (content_type, *head)), *map(Data, wire.pieces(body, step)), End(trailers)]
    for event in events:
        assert all(isinstance(message, bytes) for message in call.receive(event))
    assert call.error is None or isinstance(call.error, ConnectError)
