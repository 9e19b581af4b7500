"""Time-outs, keep-alive, and the graceful end. Times are short, and events are waited for."""

import asyncio

import pytest

from dynconnect.server.http2 import Limits
from dynconnect.server.http2.frames import (
    ACK,
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    Code,
)

from .apps import answer, hello
from .peer import GET, block, connected, frame, head, rst, settings

SOON = 0.02


def said(peer):
    """GOAWAYs as (last stream, code)."""
    return [(int.from_bytes(f.payload[:4]), f.code.name) for f in peer.frames if f.kind == GOAWAY]


def pong(peer):
    """Answers the last PING."""
    peer.send(frame(PING, ACK, 0, peer.last(PING).payload))


class Held:
    """An application that answers when told."""

    def __init__(self):
        self.go = asyncio.Event()

    async def __call__(self, scope, receive, send):
        await self.go.wait()
        await answer(send, b"done")


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(PREFACE[:10], id="half a preface"),
        pytest.param(PREFACE, id="no SETTINGS"),
        pytest.param(PREFACE + settings(window=70000)[:12], id="half of SETTINGS"),
    ],
)
async def test_a_client_that_does_not_begin_is_dropped(wire):
    async with connected(hello, Limits(preface_timeout=SOON), greet=False) as peer:
        peer.send(wire)
        await peer.until(lambda: peer.lost)


async def test_a_head_that_does_not_end_ends_the_connection():
    async with connected(hello, Limits(head_timeout=SOON)) as peer:
        peer.send(frame(HEADERS, 0, 1, block(GET)[:3]))
        assert await peer.goaway() is Code.ENHANCE_YOUR_CALM


async def test_a_head_that_ended_in_time_is_forgotten():
    async with connected(hello, Limits(head_timeout=SOON, idle_timeout=3 * SOON)) as peer:
        peer.send(frame(HEADERS, 1, 1, block(GET)[:3]), frame(9, END_HEADERS, 1, block(GET)[3:]))
        await peer.answered(1)
        await peer.until(peer.pings)
        assert said(peer) == [(2**31 - 1, "NO_ERROR")]


async def test_an_idle_connection_is_ended_in_two_steps():
    async with connected(hello, Limits(idle_timeout=SOON)) as peer:
        assert await peer.alive(1)
        await peer.until(peer.pings)
        assert said(peer) == [(2**31 - 1, "NO_ERROR")]
        assert await peer.alive(3)  # it was on its way
        pong(peer)
        await peer.goaway()
        assert said(peer)[1:] == [(3, "NO_ERROR")]


async def test_a_client_that_does_not_answer_the_ping_gets_the_second_step_anyway():
    async with connected(hello, Limits(idle_timeout=SOON, goaway_timeout=SOON)) as peer:
        await peer.goaway()
        assert said(peer) == [(2**31 - 1, "NO_ERROR"), (0, "NO_ERROR")]


async def test_a_connection_with_calls_is_not_idle():
    app = Held()
    async with connected(app, Limits(idle_timeout=SOON)) as peer:
        peer.send(head(1, GET, end=True))
        await asyncio.wait([asyncio.ensure_future(peer.changed.wait())], timeout=4 * SOON)
        peer.changed.clear()
        assert said(peer) == []
        app.go.set()
        await peer.answered(1)
        await peer.until(peer.pings)


async def test_keepalive_asks_while_calls_run_and_drops_who_does_not_answer():
    app = Held()
    async with connected(app, Limits(keepalive_interval=SOON, keepalive_timeout=SOON)) as peer:
        peer.send(head(1, GET, end=True))
        for count in (1, 2, 3):
            await peer.until(lambda n=count: len(peer.pings()) == n)
            pong(peer)
        await peer.until(lambda: peer.lost)
        assert len(peer.pings()) == 4


async def test_anything_heard_is_a_sign_of_life():
    app = Held()
    async with connected(app, Limits(keepalive_interval=SOON, keepalive_timeout=SOON)) as peer:
        peer.send(head(1, GET, end=True))
        for count in (1, 2, 3):
            await peer.until(lambda n=count: len(peer.pings()) == n)
            peer.send(frame(0xFA, payload=b"?"))
        assert not peer.lost


async def big(scope, receive, send):
    if scope["path"] == "/":
        await hello(scope, receive, send)
    else:
        await answer(send, bytes(100_000))


async def test_a_response_that_nobody_reads_is_ended_and_its_neighbours_live():
    async with connected(big, Limits(stall_timeout=SOON)) as peer:
        peer.send(settings(window=30000), head(1, GET | {":path": "/big"}, end=True))
        assert (await peer.answered(1))[-1].code is Code.CANCEL
        assert await peer.alive(3)


async def test_a_socket_that_nobody_reads_ends_the_connection():
    async with connected(big, Limits(stall_timeout=SOON)) as peer:
        peer.send(head(1, GET | {":path": "/big"}, end=True))
        peer.connection.pause_writing()
        await peer.until(lambda: peer.lost)


async def test_an_old_connection_is_ended_in_two_steps_and_its_calls_in_their_grace():
    app = Held()
    limits = Limits(max_age=SOON, max_age_grace=5 * SOON, keepalive_interval=SOON)
    async with connected(app, limits) as peer:
        peer.send(head(1, GET, end=True))
        await peer.until(peer.pings)
        pong(peer)
        await peer.goaway()
        assert said(peer) == [(2**31 - 1, "NO_ERROR"), (1, "NO_ERROR")]
        assert [f.kind for f in peer.of(1)] == []


# --- shutdown -----------------------------------------------------------------------------------------------


async def test_shutdown_lets_calls_finish_and_takes_those_that_were_under_way():
    app = Held()
    async with connected(app) as peer:
        peer.send(head(1, GET, end=True))
        peer.connection.shutdown(5)
        peer.send(head(3, GET, end=True))
        await peer.until(peer.pings)
        pong(peer)
        peer.send(head(5, GET, end=True, encoder=peer.encoder), rst(5), frame(DATA, 1, 5, b"x"))
        await peer.settle()
        assert said(peer) == [(2**31 - 1, "NO_ERROR"), (3, "NO_ERROR")]
        assert not peer.eof
        app.go.set()
        await peer.until(lambda: peer.eof)
        assert peer.body(1) == peer.body(3) == b"done"
        assert peer.of(5) == []
        assert len(said(peer)) == 2


async def test_shutdown_cuts_what_takes_longer_than_its_grace(caplog):
    app = Held()
    async with connected(app) as peer:
        peer.send(head(1, GET, end=True))
        await peer.settle()
        peer.connection.shutdown(SOON)
        await peer.goaway()
        assert said(peer) == [(2**31 - 1, "NO_ERROR"), (1, "NO_ERROR")]
        await peer.settle()
        assert not peer.connection._streams.busy
    assert caplog.text == ""


async def test_a_second_shutdown_may_shorten_the_first():
    app = Held()
    async with connected(app) as peer:
        peer.send(head(1, GET, end=True))
        peer.connection.shutdown(50)
        peer.connection.shutdown(0)
        assert await peer.goaway() is Code.NO_ERROR  # long before the first one's 50 seconds


async def test_a_client_that_does_not_close_after_the_end_is_closed():
    async with connected(hello, Limits(linger=SOON)) as peer:
        peer.send(frame(PING, payload=b"short"))
        assert await peer.goaway() is Code.FRAME_SIZE_ERROR
        assert not peer.lost
        await peer.until(lambda: peer.lost)
        assert not peer.transport.aborted  # which would throw away what a slow reader has not fetched


async def test_a_client_that_never_fetches_the_rest_is_cut_off():
    async with connected(hello, Limits(linger=SOON, stall_timeout=SOON)) as peer:
        peer.transport.stuck = True
        peer.send(frame(PING, payload=b"short"))
        await peer.until(lambda: peer.lost)
        assert peer.transport.aborted


async def test_a_client_that_leaves_gets_its_answers_and_then_the_end():
    app = Held()
    async with connected(app) as peer:
        peer.send(head(1, GET, end=True), frame(GOAWAY, payload=bytes(8)))
        await peer.settle()
        assert not peer.eof
        app.go.set()
        await peer.until(lambda: peer.eof)
        assert peer.body(1) == b"done"


async def test_no_timer_is_left_when_the_connection_is_lost():
    async with connected(hello) as peer:
        assert await peer.alive(1)
        timer = peer.connection._lifetime._timer
        peer.lose()
        assert timer.cancelled()
        peer.connection.shutdown(1)
        assert peer.connection._lifetime._timer is None


async def test_traffic_moves_no_timer():
    async with connected(hello) as peer:
        peer.send(head(1, GET, end=True))
        await peer.answered(1)
        timer = peer.connection._lifetime._timer
        for stream in range(3, 30, 2):
            assert await peer.alive(stream)
        assert peer.connection._lifetime._timer is timer
        assert not [f for f in peer.frames if f.kind == RST_STREAM]
