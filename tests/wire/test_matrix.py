"""Every protocol with every shape, codec and compression: client core against server core."""

from __future__ import annotations

import base64
from itertools import product

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.base import CallOptions
from dynconnect.wire.choose import Chooser
from dynconnect.wire.connect import Connect
from dynconnect.wire.events import Data, Response
from dynconnect.wire.grpc import Grpc, GrpcWeb

OFFER = wire.offer(compress_min_bytes=20)
SERVER = Chooser(OFFER, wire.CODECS)
NOISE = bytes(range(256))
LONG = b"again and again, " * 20

SHAPES = {
    "unary": ([LONG], [NOISE + LONG]),
    "client stream": ([b"a", b"", LONG, NOISE], [LONG]),
    "server stream": ([LONG], [b"", LONG, NOISE, LONG]),
    "bidi": ([b"a", LONG, b"", NOISE], [LONG, b"", b"b"]),
    "bidi without messages": ([], []),
}
STREAMING = {name: name != "unary" for name in SHAPES}

PROTOCOLS = {
    "connect": lambda offer: Connect(offer),
    "connect get": lambda offer: Connect(offer),
    "grpc": lambda offer: Grpc(offer),
    "grpc-web": lambda offer: GrpcWeb(offer),
    "grpc-web-text": lambda offer: GrpcWeb(offer, text=True),
}
PAIRS = [pair for pair in product(PROTOCOLS, SHAPES) if pair[0] != "connect get" or pair[1] == "unary"]


def dial(protocol, shape, codec="proto", offer=OFFER, **options):
    client = PROTOCOLS[protocol](offer)
    options = CallOptions(no_side_effects=protocol == "connect get", **options)
    return client.call(wire.PATH, codec, options, streaming=STREAMING[shape])


def accept(call, shape, server=SERVER):
    """The server's side of *call*, as *server* would find it."""
    request = call.request
    streaming = STREAMING[shape]
    if request.method == "GET":
        choice = server.get(request.query)
    else:
        choice = server.post(request.headers["content-type"], streaming=streaming)
    return choice.open(request, streaming=streaming)


def carry(call, events, step):
    """The messages that *call* finds in *events*, whose pieces arrive in chunks of *step* bytes."""
    found = []
    for event in events:
        parts = map(Data, wire.pieces(event.data, step)) if isinstance(event, Data) else [event]
        found += [message for part in parts for message in call.receive(part)]
    return found


def converse(call, shape, sent, replies, error=None, *, step=4096, prepare=lambda exchange: None):
    """What the server and the client find of each other."""
    body = b"".join(call.send(message) for message in sent)
    exchange = accept(call, shape)
    exchange.start()
    received = wire.read(exchange, body, step)
    prepare(exchange)
    events = [event for reply in replies for event in exchange.send(reply)]
    events += exchange.end(error)
    return received, carry(call, events, step), exchange


@pytest.mark.parametrize("step", [1, 3, 7, 4096])
@pytest.mark.parametrize("compression", [None, *OFFER.compressions])
@pytest.mark.parametrize("codec", wire.CODECS)
@pytest.mark.parametrize(("protocol", "shape"), PAIRS)
def test_messages_arrive_both_ways_however_they_are_packed_and_cut(protocol, shape, codec, compression, step):
    known = {} if compression is None else {compression: OFFER.compressions[compression]}
    offer = wire.offer(compressions=known, compress_min_bytes=20)
    call = dial(protocol, shape, codec, offer, compress=known.get(compression))
    sent, replies = SHAPES[shape]
    received, found, exchange = converse(call, shape, sent, replies, step=step)
    assert (received, found, call.error) == (sent, replies, None)
    assert exchange.codec == codec


@pytest.mark.parametrize("compression", OFFER.compressions)
@pytest.mark.parametrize(("protocol", "shape"), PAIRS)
def test_c3_c4_what_is_agreed_is_used_in_both_directions(protocol, shape, compression):
    known = {compression: OFFER.compressions[compression]}
    plain, packed = (
        dial(protocol, shape, offer=wire.offer(compressions=known, compress_min_bytes=20), compress=compress)
        for compress in (None, known[compression])
    )
    sent = [LONG * 10] if SHAPES[shape][0] else []
    sizes = []
    for call in (plain, packed):
        body = b"".join(map(call.send, sent)) + call.request.query.encode()
        exchange = accept(call, shape)
        exchange.start()
        assert wire.read(exchange, b"" if call.request.query else body) == sent
        events = [*exchange.send(LONG * 10), *exchange.end(None)]
        sizes.append((len(body), len(wire.body_of(events))))
    (plain_sent, plain_found), (packed_sent, packed_found) = sizes
    assert packed_sent < plain_sent or not sent
    assert plain_found == packed_found < len(LONG) * 5


ERRORS = [
    ConnectError(
        code, f"why \u00fc\U0001f600\t\n% {code.name}", [ErrorDetail("a.B", NOISE), ErrorDetail("a.C", b"")]
    )
    for code in Code
]


@pytest.mark.parametrize("step", [1, 4096])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code.value)
@pytest.mark.parametrize(("protocol", "shape"), PAIRS)
def test_x1_x2_x3_x5_an_error_arrives_whole_after_the_messages_before_it(protocol, shape, error, step):
    call = dial(protocol, shape)
    sent, replies = SHAPES[shape]
    _, found, _ = converse(call, shape, sent, replies, error, step=step)
    # Of a call with one answer nothing is kept: its messages and its error exclude each other.
    assert found == ([] if protocol.startswith("connect") and shape == "unary" else replies)
    assert (call.error.code, call.error.message) == (error.code, error.message)
    assert call.error.details == error.details


@pytest.mark.parametrize(
    "error", [None, ConnectError(Code.ABORTED, metadata=[("x-error", "4"), ("x-error", "5")])]
)
@pytest.mark.parametrize(("protocol", "shape"), PAIRS)
def test_u5_s8_p7_d2_d3_metadata_arrives_in_every_direction(protocol, shape, error):
    value = base64.b64encode(NOISE).decode()
    pairs = [("x-a", "1"), ("x-b-bin", value), ("x-a", "2"), ("x-latin", "caf\xe9")]
    call = dial(protocol, shape, metadata=pairs)

    def prepare(exchange):
        exchange.response_headers.extend(pairs)
        exchange.response_trailers.extend(pairs)

    sent, replies = SHAPES[shape]
    converse(call, shape, sent, replies, error, prepare=prepare)
    for metadata in (call.request.headers, call.response_headers, call.response_trailers):
        assert values_of(metadata, "x-a") == ["1", "2"]
        assert metadata.get_binary("x-b-bin") == [NOISE]
        assert metadata["x-latin"] == "caf\xe9"
    # Connect has no place for trailing metadata of its errors but the head (X6).
    place = (
        call.response_headers
        if protocol.startswith("connect") and shape == "unary"
        else call.response_trailers
    )
    assert values_of(place, "x-error") == ([] if error is None else ["4", "5"])


def values_of(metadata, name):
    """Every value of *name*, on lines of their own or on one (D2)."""
    return [value.strip() for line in metadata.getall(name) for value in line.split(",")]


@pytest.mark.parametrize("seconds", [0.0, 0.25, 3600.0, 1e7, float("inf")])
@pytest.mark.parametrize(("protocol", "shape"), PAIRS)
def test_t1_t2_t4_the_timeout_arrives_and_is_never_longer(protocol, shape, seconds):
    call = dial(protocol, shape, timeout=seconds)
    sent, replies = SHAPES[shape]
    _, _, exchange = converse(call, shape, sent, replies)
    assert exchange.timeout <= seconds
    assert exchange.timeout >= min(seconds, 9_999_999) * 0.999


@pytest.mark.parametrize(("protocol", "shape"), PAIRS)
def test_no_timeout_arrives_as_none(protocol, shape):
    call = dial(protocol, shape)
    assert converse(call, shape, *SHAPES[shape])[2].timeout is None


@pytest.mark.parametrize(("protocol", "shape"), [pair for pair in PAIRS if STREAMING[pair[1]]])
def test_the_head_of_a_stream_is_complete_before_its_messages(protocol, shape):
    call = dial(protocol, shape, compress=OFFER.compressions["gzip"])
    before = call.request, Metadata(call.request.headers)
    for message in SHAPES[shape][0]:
        call.send(message)
    assert (call.request, call.request.headers) == before


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name != "connect get"])
def test_e7_f1_an_answer_is_read_before_the_next_request_is_sent(protocol):
    call = dial(protocol, "bidi")
    exchange = accept(call, "bidi")
    exchange.start()
    assert carry(call, exchange.head(), 1) == []
    assert (
        "grpc-accept-encoding" in call.response_headers or "connect-accept-encoding" in call.response_headers
    )
    for at in range(3):
        (request,) = exchange.receive(call.send(b"%d" % at))
        assert carry(call, exchange.send(request + b"!"), 1) == [b"%d!" % at]
    assert list(exchange.receive_end()) == []
    assert carry(call, exchange.end(None), 1) == []
    assert call.error is None


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name != "connect get"])
def test_t5_k5_an_error_after_the_head_went_out_has_no_second_head(protocol):
    call = dial(protocol, "bidi")
    exchange = accept(call, "bidi")
    exchange.start()
    exchange.response_headers["x-a"] = "early"
    carry(call, exchange.head(), 1)
    exchange.response_headers["x-a"] = "late"
    events = exchange.end(ConnectError(Code.DEADLINE_EXCEEDED, "the deadline passed"))
    assert not any(isinstance(event, Response) for event in events)
    carry(call, events, 1)
    assert (call.error.code, call.response_headers["x-a"]) == (Code.DEADLINE_EXCEEDED, "early")


@pytest.mark.parametrize(("protocol", "shape"), PAIRS)
def test_l1_l2_a_request_over_the_servers_limit_is_exhausted_and_the_client_reads_so(protocol, shape):
    server = Chooser(wire.offer(read_max_bytes=100), wire.CODECS)
    call = dial(protocol, shape)
    body = call.send(bytes(101))
    exchange = accept(call, shape, server)
    exchange.start()
    with pytest.raises(ConnectError) as caught:
        wire.read(exchange, body)
    carry(call, exchange.end(caught.value), 7)
    assert call.error.code is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(("protocol", "shape"), PAIRS)
def test_l1_an_answer_over_the_clients_limit_is_exhausted(protocol, shape):
    call = dial(protocol, shape, offer=wire.offer(read_max_bytes=100))
    _, found, _ = converse(call, shape, SHAPES[shape][0], [b"a" * 101])
    assert found == []
    assert call.error.code is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(("protocol", "shape"), PAIRS)
def test_c2_an_encoding_that_the_server_does_not_know_is_unimplemented(protocol, shape):
    server = Chooser(wire.offer(compressions={}), wire.CODECS)
    call = dial(protocol, shape, compress=OFFER.compressions["gzip"])
    call.send(LONG)
    exchange = accept(call, shape, server)
    with pytest.raises(ConnectError) as caught:
        exchange.start()
    carry(call, exchange.end(caught.value), 7)
    assert call.error.code is Code.UNIMPLEMENTED


class Counting:
    """A compression that notes how often it is undone."""

    name = "counting"

    def __init__(self):
        self.undone = 0

    def compress(self, data):
        return data

    def decompress(self, data, max_bytes):
        self.undone += 1
        return data


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name != "connect get"])
def test_l2_messages_that_came_together_are_unpacked_one_by_one_on_both_sides(protocol):
    counting = Counting()
    offer = wire.offer(compressions={"counting": counting}, compress_min_bytes=0)
    call = dial(protocol, "bidi", offer=offer, compress=counting)
    exchange = accept(call, "bidi", Chooser(offer, wire.CODECS))
    exchange.start()
    requests = exchange.receive(b"".join(call.send(b"x") for _ in range(100)))
    assert [next(requests), counting.undone] == [b"x", 1]
    (head, *pieces) = [event for _ in range(100) for event in exchange.send(b"x")]
    carry(call, [head], 1)
    responses = call.receive(Data(b"".join(piece.data for piece in pieces)))
    assert [next(responses), counting.undone] == [b"x", 2]
