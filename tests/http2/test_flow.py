"""Flow control, both ways."""

import asyncio

import pytest

from dynconnect.server.http2 import Limits
from dynconnect.server.http2.flow import Inbound
from dynconnect.server.http2.frames import DATA, GOAWAY, RST_STREAM, WINDOW_UPDATE, Code

from .apps import answer, hello, read
from .peer import GET, connected, data, head, settings, window

BIG = 300_000


def sending(size, chunk=None):
    """Answers with *size* bytes, in parts of *chunk*."""

    async def app(scope, receive, send):
        if scope["path"] != "/":
            await hello(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for at in range(0, size, chunk or size):
            part = bytes((at // (chunk or size) % 256,)) * min(chunk or size, size - at)
            await send({"type": "http.response.body", "body": part, "more_body": at + len(part) < size})

    return app


@pytest.mark.parametrize("chunk", [None, 1000, 70000])
async def test_data_waits_for_the_windows_and_goes_on(chunk):
    async with connected(sending(BIG, chunk)) as peer:
        peer.send(head(1, GET, end=True))
        sent = 65535
        for _ in range(9):
            await peer.settle()
            assert len(peer.body(1)) == min(sent, BIG)
            peer.send(window(1, 30000))
            await peer.settle()
            assert len(peer.body(1)) == min(sent, BIG)
            peer.send(window(0, 30000))
            sent += 30000
        await peer.answered(1)
        assert len(peer.body(1)) == BIG
        assert max(len(f.payload) for f in peer.of(1)) <= 16384


async def test_a_larger_frame_size_is_used_up_to_a_turn():
    async with connected(sending(BIG)) as peer:
        peer.send(settings(window=2**30, frame=2**20), window(0, 2**30), head(1, GET, end=True))
        await peer.answered(1)
        assert [len(f.payload) for f in peer.of(1) if f.kind == DATA] == [65536] * 4 + [BIG - 4 * 65536]


async def test_a_window_may_become_negative_and_must_be_filled_first():
    async with connected(sending(BIG)) as peer:
        peer.send(settings(window=1000), head(1, GET, end=True))
        await peer.settle()
        assert len(peer.body(1)) == 1000
        peer.send(settings(window=0))
        peer.send(window(1, 1000))
        await peer.settle()
        assert len(peer.body(1)) == 1000
        peer.send(window(1, 1))
        await peer.settle()
        assert len(peer.body(1)) == 1001
        peer.send(settings(window=BIG), window(0, BIG))
        await peer.answered(1)


async def test_an_empty_end_needs_no_window():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(10), "more_body": True})
        await send({"type": "http.response.body"})

    async with connected(app) as peer:
        peer.send(settings(window=10), head(1, GET, end=True))
        await peer.answered(1)
        assert peer.kinds(1) == "HEADERS DATA(10) DATA(0)+"


async def test_streams_share_the_connections_window_in_turn():
    async with connected(sending(BIG)) as peer:
        peer.send(settings(window=2**30), *(head(n, GET, end=True) for n in (1, 3, 5)))
        for _ in range(60):
            await peer.settle()
            peer.send(window(0, 16384))
        for n in (1, 3, 5):
            await peer.answered(n)
            assert len(peer.body(n)) == BIG


async def test_a_stream_without_window_does_not_hold_up_those_that_have_one():
    async with connected(sending(BIG)) as peer:
        peer.send(head(1, GET, end=True), head(3, GET, end=True))
        await peer.settle()  # the connection's window is spent
        peer.send(window(3, BIG), window(0, 2**20))
        await peer.answered(3)
        assert len(peer.body(1)) == 65535


async def test_a_full_socket_is_waited_for_by_all_who_send_data():
    async with connected(sending(BIG, 5000)) as peer:
        await peer.settle()
        peer.connection.pause_writing()
        peer.send(settings(window=2**30), window(0, 2**30), head(1, GET, end=True))
        await peer.settle()
        assert peer.kinds(1) == "HEADERS"
        peer.connection.resume_writing()
        await peer.answered(1)
        assert len(peer.body(1)) == BIG


async def test_what_waits_for_one_write_is_bounded_and_others_have_their_turn():
    writes = []
    async with connected(sending(10 * BIG, 10000)) as peer:
        await peer.settle()
        write = peer.transport.write
        peer.transport.write = lambda data: (writes.append(len(data)), write(data))
        other = GET | {":path": "/other"}
        peer.send(settings(window=2**30), window(0, 2**30), head(1, GET, end=True), head(3, other, end=True))
        await peer.answered(3)
        assert len(peer.body(1)) < 10 * BIG
        await peer.answered(1)
        assert max(writes) < 65536 + 10000 + 1000


# --- towards us ---------------------------------------------------------------------------------------------


async def test_credit_comes_back_when_the_application_reads():
    go = asyncio.Event()

    async def app(scope, receive, send):
        await go.wait()
        await answer(send, b"%d" % len(await read(receive)))

    limits = Limits(stream_window=65535, connection_window=65535)
    async with connected(app, limits) as peer:
        peer.send(head(1), *(data(1, bytes(10000)) for _ in range(6)))
        await peer.settle()
        assert not [f for f in peer.frames if f.kind == WINDOW_UPDATE]
        go.set()
        await peer.settle()
        updates = [(f.stream, int.from_bytes(f.payload)) for f in peer.frames if f.kind == WINDOW_UPDATE]
        assert updates == [(0, 60000), (1, 60000)]
        peer.send(data(1, bytes(16000)), data(1, end=True))
        await peer.answered(1)
        assert peer.body(1) == b"76000"


async def test_padding_takes_window_and_gives_it_back():
    async with connected(hello) as peer:
        padded = b"\xff" + bytes(255)
        peer.send(head(1), *(data(1)[:0] + _padded(padded) for _ in range(100)))
        stream = peer.connection._streams._streams[1]
        assert stream.inbound.left + stream.inbound._owed == 1 << 20


def _padded(payload):
    return len(payload).to_bytes(3) + b"\0\x08\0\0\0\1" + payload


@pytest.mark.parametrize("whose", ["stream", "connection"])
async def test_more_than_the_window_is_an_error_of_its_owner(whose):
    async def app(scope, receive, send):
        if scope["method"] == "GET":
            await answer(send)
        else:
            await asyncio.Event().wait()

    size = 65535 if whose == "connection" else 2**20
    async with connected(app, Limits(stream_window=65535, connection_window=size)) as peer:
        peer.send(head(1), *(data(1, bytes(16384)) for _ in range(4)))
        if whose == "connection":
            assert await peer.goaway() is Code.FLOW_CONTROL_ERROR
            assert not [f for f in peer.frames if f.kind == RST_STREAM]
        else:
            assert (await peer.answered(1))[-1].code is Code.FLOW_CONTROL_ERROR
            assert await peer.alive(3)
            assert not [f for f in peer.frames if f.kind == GOAWAY]


def test_updates_are_sent_for_half_a_window_at_least():
    inbound = Inbound(100)
    inbound.left -= 80
    assert [inbound.give(n) for n in (20, 29, 1, 30)] == [0, 0, 50, 0]
    assert inbound.left == 70


@pytest.mark.parametrize(
    "wrong",
    [
        {"stream_window": 65534},
        {"connection_window": 65535},
        {"connection_window": 2**31},
        {"header_block_bytes": 1000},
    ],
)
def test_limits_that_the_protocol_forbids_are_refused(wrong):
    with pytest.raises(ValueError, match=r"window|header_block_bytes"):
        Limits(**wrong)
