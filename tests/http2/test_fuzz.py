"""Anything at all, from hypothesis: no crash, no hang, no growth; what we say is always well-formed."""

import asyncio

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dynconnect.server.http2.frames import ACK, HEADERS, PREFACE, SETTINGS

from .apps import echo, hello
from .peer import GET, POST, block, connected, frame, head

KINDS = st.integers(0, 10)
STREAMS = st.sampled_from([0, 1, 1, 1, 2, 3, 3, 5, 7, 2**31 - 1])
BLOCKS = [block(GET), block(POST), block({"x": "y"}), block(POST | {"content-length": "5"}), b"\x82\x86\x84"]
PAYLOADS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([*BLOCKS, b"", bytes(4), bytes(5), bytes(6), bytes(8), b"\0\0\0\1", b"\x7f\xff\xff\xff"]),
    st.sampled_from([b"\0\4\0\0\0\0", b"\0\4\x7f\xff\xff\xff", b"\0\5\0\0\x40\0", b"\0\1\0\0\0\0"]),
)
FRAMES = st.builds(
    frame, KINDS, st.sampled_from([0, 1, 4, 5, 8, 9, 12, 13, 32, 36, 37, 255]), STREAMS, PAYLOADS
)
SEQUENCES = st.lists(FRAMES, max_size=30)
HONEST = (
    PREFACE
    + frame(SETTINGS)
    + b"".join(head(n, POST, end=False) + frame(0, 1, n, b"hello") for n in (1, 3, 5))
)


def play(wire, step, *, app=echo, greet=True):
    """Plays *wire*, ends the connection, and looks at what is left."""

    async def run():
        async with connected(app, greet=greet, step=step) as peer:
            peer.send(wire)
            await peer.settle()
            peer.send(frame(SETTINGS, ACK))
            await peer.settle()
            streams = peer.connection._streams
            buffered = sum(len(chunk) for s in streams._streams.values() for chunk in s._chunks)
            assert buffered <= len(wire)
            assert -1 < streams._over <= len(streams._streams)
            assert not peer.rest  # whole frames only
            check(peer)
        assert not streams.busy
        assert streams._over == 0
        inbound = streams._inbound
        assert inbound.left + inbound._owed <= 1 << 24

    asyncio.run(run())


def check(peer):
    """Our own side of the protocol: nothing after the end of a stream but RST_STREAM, one head first."""
    ended = set()
    for said in peer.frames:
        if said.stream and said.kind in (0, HEADERS):
            assert said.stream not in ended
            assert said.kind == HEADERS or any(f.kind == HEADERS for f in peer.of(said.stream))
        if said.ends:
            ended.add(said.stream)


SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(SEQUENCES, st.sampled_from([None, 1, 13]))
def test_any_sequence_of_frames(sequence, step):
    play(b"".join(sequence), step)


@SLOW
@given(SEQUENCES, SEQUENCES)
def test_any_sequence_of_frames_round_an_honest_call(before, after):
    play(b"".join(before) + head(7, POST) + b"".join(after) + frame(0, 1, 7, b"x"), None, app=hello)


@SLOW
@given(st.lists(st.tuples(st.integers(0, len(HONEST) - 1), st.integers(0, 255)), max_size=6), st.booleans())
@example([], False)
def test_an_honest_exchange_with_some_bytes_changed(changes, one_by_one):
    wire = bytearray(HONEST)
    for at, value in changes:
        wire[at] = value
    play(bytes(wire), 1 if one_by_one else None, greet=False)


@SLOW
@given(st.binary(max_size=200))
def test_any_bytes_as_a_header_block(payload):
    play(frame(HEADERS, 5, 1, payload) + head(3, GET, end=True), None)


@SLOW
@given(st.binary(max_size=300))
def test_any_bytes_after_the_preface(data):
    play(PREFACE + data, None, greet=False)
