"""Attacks, each with a neighbour that must not notice.

The neighbour is a call on the same connection where the attack is one that a connection survives, and
otherwise a call on another connection of the same server, made while the attacker is ended.
"""

import asyncio
import tracemalloc

import pytest

from dynconnect.server.http2 import Limits
from dynconnect.server.http2.frames import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    HEADERS,
    PING,
    PRIORITY,
    Code,
)

from .apps import answer, hello
from .peer import GET, POST, block, connected, data, frame, head, rst, settings, window

OPEN = head(1)
MANY = 2000
REFUSED = [*GET.items(), *(("x", "") for _ in range(300))]


def streams(make):
    return b"".join(make(number) for number in range(1, 2 * MANY, 2))


FLOODS = [
    ("rapid reset", streams(lambda n: head(n) + rst(n))),
    ("resets that we are made to send", streams(lambda n: head(n) + window(n, 0))),
    ("resets by data after the end", streams(lambda n: head(n, end=True) + data(n, b"x"))),
    ("PING", frame(PING, payload=bytes(8)) * MANY),
    ("PING answers", frame(PING, ACK, payload=bytes(8)) * MANY),
    ("SETTINGS", settings() * 150),
    ("SETTINGS that change windows", (settings(window=1) + settings(window=2)) * 75),
    ("empty DATA", OPEN + data(1) * MANY),
    ("empty DATA for a stream that was refused", head(1, POST | {"te": "x"}) + data(1) * MANY),
    ("PRIORITY", frame(PRIORITY, 0, 1, bytes(3) + b"\3\1") * MANY),
    ("WINDOW_UPDATE of the connection", window(0, 1) * MANY),
    ("WINDOW_UPDATE of a stream", OPEN + window(1, 1) * MANY),
    ("unknown frames", frame(0xFA) * MANY),
    ("RST_STREAM of a stream that has ended", OPEN + rst(1) * MANY),
    ("heads that are refused", streams(lambda n: head(n, REFUSED, end=True))[: 30 * len(head(1, REFUSED))]),
    ("trailers that are refused", streams(lambda n: head(n) + head(n, REFUSED, end=True))[:30000]),
    ("trailers of a stream that was reset", head(1, POST | {"te": "x"}) + head(1, {"x": "y"}) * MANY),
    ("CONTINUATION without end", frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1) * MANY),
    ("CONTINUATION of large pieces", frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1, bytes(16384)) * 15),
]


@pytest.mark.parametrize("wire", [pytest.param(wire, id=name) for name, wire in FLOODS])
async def test_a_flood_ends_its_connection_and_no_other(wire):
    async with connected(hello) as attacker, connected(hello) as neighbour:
        attacker.send(wire)
        assert await attacker.goaway() is Code.ENHANCE_YOUR_CALM
        assert await neighbour.alive(1)
        await attacker.settle()
        assert not attacker.connection._streams.busy


async def test_a_bounded_number_of_resets_is_an_honest_client():
    async with connected(hello) as peer:
        peer.send(*(head(n) + rst(n) for n in range(1, 1800, 2)))
        assert await peer.alive(1801)


async def test_reading_in_small_windows_is_honest_as_long_as_data_comes_back():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(800):
            await send({"type": "http.response.body", "body": bytes(35), "more_body": True})
        await send({"type": "http.response.body"})

    async with connected(app) as peer:
        peer.send(settings(window=35), head(1, GET, end=True))
        while not any(f.ends for f in peer.of(1)):
            await peer.settle()
            peer.send(window(1, 35), window(0, 35), frame(PING, payload=bytes(8)))
        assert len(peer.body(1)) == 800 * 35


async def test_windows_opened_by_the_byte_for_large_chunks_are_a_flood():
    async def app(scope, receive, send):
        await answer(send, bytes(10**6))

    async with connected(app) as peer:
        peer.send(settings(window=1), head(1, GET, end=True))
        while not peer.eof:
            await peer.settle()
            peer.send(window(1, 1))
        assert await peer.goaway() is Code.ENHANCE_YOUR_CALM
        assert len(peer.body(1)) < 2 * Limits().overhead_burst


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([*GET.items(), *((f"x-{n}", "v" * 1000) for n in range(70))], id="bytes"),
        pytest.param([*GET.items(), *(("x", "") for _ in range(1000))], id="count"),
        pytest.param([*GET.items(), ("x", "v" * 70000)], id="one field"),
    ],
)
async def test_a_header_bomb_is_answered_431_and_its_neighbours_live(fields):
    wire = block(fields)
    parts = [wire[at : at + 16384] for at in range(0, len(wire), 16384)]
    async with connected(hello) as peer:
        sent = [frame(HEADERS if at == 0 else CONTINUATION, 0, 1, part) for at, part in enumerate(parts)]
        peer.send(*sent, frame(CONTINUATION, END_HEADERS, 1))
        await peer.answered(1)
        assert peer.status(1) == 431


async def test_an_inflating_bomb_ends_before_it_has_grown():
    bomb = block({"x": "v" * 4000}) + b"\xbe" * 16000  # one field in the table, named 16,000 times: 64 MB
    async with connected(hello) as attacker, connected(hello) as neighbour:
        tracemalloc.start()
        attacker.send(frame(HEADERS, 0, 1, bomb[:16000]), frame(CONTINUATION, END_HEADERS, 1, bomb[16000:]))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert await attacker.goaway() is Code.COMPRESSION_ERROR
        assert await neighbour.alive(1)
        assert peak < 1 << 20


async def test_a_client_that_reads_nothing_but_asks_is_ended():
    async with connected(hello) as attacker, connected(hello) as neighbour:
        await attacker.settle()
        attacker.connection.pause_writing()
        for number in range(1, 20000, 2):
            attacker.send(head(number, GET, end=True), frame(PING, payload=bytes(8)))
            if number % 100 == 1:
                await attacker.settle()
            if attacker.transport.closing:
                break
        await attacker.until(lambda: attacker.lost)
        assert len(attacker.received) < 1 << 18
        assert await neighbour.alive(1)


async def test_a_client_that_never_reads_holds_a_bounded_amount():
    sent = []

    async def app(scope, receive, send):
        if scope["path"] == "/":
            await hello(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": bytes(10000), "more_body": True})
            sent.append(10000)

    async with connected(app) as peer:
        await peer.settle()
        peer.connection.pause_writing()
        peer.send(settings(window=2**31 - 1), window(0, 2**30))
        peer.send(head(1, GET | {":path": "/endless"}, end=True))
        for _ in range(50):
            await peer.settle()
        assert sum(sent) <= 1 << 17
        peer.connection.resume_writing()
        assert await peer.alive(3)


async def test_a_client_that_sends_without_end_to_one_who_never_reads_is_held_by_its_window():
    async def app(scope, receive, send):
        if scope["method"] == "GET":
            await hello(scope, receive, send)
        else:
            await asyncio.Event().wait()

    async with connected(app) as peer:
        peer.send(head(1))
        for _ in range(63):
            peer.send(data(1, bytes(16384)))
        assert await peer.alive(3)
        peer.send(data(1, bytes(16384)), data(1, b"x"))
        await peer.answered(1)
        assert peer.of(1)[-1].code is Code.FLOW_CONTROL_ERROR
        assert await peer.alive(5)


async def test_tasks_that_do_not_end_when_cancelled_are_bounded():
    stay = asyncio.Event()

    async def app(scope, receive, send):
        if scope["method"] == "GET":
            await hello(scope, receive, send)
            return
        try:
            await asyncio.Event().wait()
        finally:
            await stay.wait()

    limits = Limits(max_concurrent_streams=10, max_lingering=20)
    async with connected(app, limits) as peer:
        for number in range(1, 200, 2):
            peer.send(head(number))
            await peer.settle()
            peer.send(rst(number))
            await peer.settle()
        assert len(peer.connection._streams._streams) == 20
        assert peer.of(199)[0].code is Code.REFUSED_STREAM
        stay.set()
        await peer.settle()
        assert await peer.alive(201)


async def test_what_is_remembered_of_reset_streams_is_bounded():
    async def app(scope, receive, send):
        await answer(send)

    async with connected(app, Limits(max_remembered_resets=50)) as peer:
        for number in range(1, 1000, 2):
            peer.send(head(number))
            await peer.settle()
        assert len(peer.connection._streams._dropped) == 50


async def test_heads_that_are_never_the_same_do_not_fill_the_cache():
    async with connected(hello) as peer:
        for number in range(1, 600, 2):
            plain = b"\x82\x86\x84\x0f\x2e\x03%03d" % number  # literals that touch no table
            peer.send(frame(HEADERS, 5, number, plain))
            await peer.answered(number)
        assert 0 < len(peer.connection._streams._heads._known) <= 64


async def test_ten_thousand_idle_connections_cost_little():
    async with connected(hello) as peer:
        assert await peer.alive(1)
        tracemalloc.start()
        idle = [connected(hello) for _ in range(100)]
        peers = [await context.__aenter__() for context in idle]
        await peer.settle()
        each = tracemalloc.get_traced_memory()[0] / len(idle)
        tracemalloc.stop()
        assert await peer.alive(3)
        for context in idle:
            await context.__aexit__(None, None, None)
        assert peers
    assert each < 32 << 10  # of which half is this test's own end
