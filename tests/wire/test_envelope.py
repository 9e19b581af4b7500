from __future__ import annotations

import tracemalloc

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.wire import envelope
from dynconnect.wire.compression import available

WIRES = [
    pytest.param(b"", [], id="nothing"),
    pytest.param(b"\0\0\0\0\0", [(0, b"")], id="an empty message"),
    pytest.param(b"\1\0\0\0\2hi", [(1, b"hi")], id="the flags are kept"),
    pytest.param(
        b"\0\0\0\0\1a\2\0\0\0\0\x80\0\0\0\3xyz", [(0, b"a"), (2, b""), (128, b"xyz")], id="three in a row"
    ),
    pytest.param(b"\0\0\0\1\0" + b"m" * 256, [(0, b"m" * 256)], id="a length of two bytes, big end first"),
]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 6, 7, 64, 1024])
@pytest.mark.parametrize(("data", "expected"), WIRES)
def test_e1_k13_envelopes_are_cut_wherever_the_chunks_fall(data, expected, step):
    reader = envelope.Reader(max_bytes=256)
    found = [tuple(frame) for chunk in wire.pieces(data, step) for frame in reader.feed(chunk)]
    reader.close()
    assert found == expected


def test_e1_encode_writes_flags_and_a_big_endian_length():
    assert envelope.encode(0x81, b"m" * 258) == b"\x81\0\0\1\2" + b"m" * 258


@pytest.mark.parametrize("size", [1, 4, 5, 6])
def test_e5_a_body_that_ends_inside_an_envelope_is_invalid(size):
    frames = framing()
    assert list(frames.read(b"\0\0\0\0\2hi"[:size])) == []
    with pytest.raises(ConnectError, match="inside an envelope") as caught:
        frames.close()
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "prefix", [b"\0\0\0\0\x09", b"\2\0\0\0\x09", b"\0\xff\xff\xff\xff", b"\1\xff\xff\xff\xff"]
)
def test_e6_k11_a_size_over_the_limit_is_refused_by_its_prefix_alone(prefix):
    reader = envelope.Reader(max_bytes=8)
    with pytest.raises(ConnectError, match="limit of 8") as caught:
        list(reader.feed(prefix))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


def test_e6_messages_before_the_one_over_the_limit_are_given():
    frames = envelope.Reader(max_bytes=1).feed(b"\0\0\0\0\1a\0\0\0\0\2")
    assert next(frames).data == b"a"
    with pytest.raises(ConnectError):
        next(frames)


def test_l1_the_limit_is_inclusive():
    (frame,) = envelope.Reader(max_bytes=8).feed(b"\0\0\0\0\x0812345678")
    assert frame.data == b"12345678"


def test_l1_a_compressed_message_may_be_larger_on_the_wire_than_unpacked():
    most = envelope.compressed_max_bytes(8)
    (frame,) = envelope.Reader(max_bytes=8).feed(wire.envelope(bytes(most), 1))
    assert len(frame.data) == most > 8
    with pytest.raises(ConnectError, match="limit of 8"):
        list(envelope.Reader(max_bytes=8).feed(wire.envelope(bytes(most + 1), 1)))


@pytest.mark.parametrize("compression", available().values(), ids=lambda one: one.name)
@pytest.mark.parametrize("size", [0, 1, 100, 10_000, 1_000_000])
def test_l1_no_compression_grows_a_message_beyond_what_is_let_through(compression, size):
    noise = bytes((at * at * 7 + at // 3) % 251 for at in range(size))
    assert len(compression.compress(noise)) <= envelope.compressed_max_bytes(size)


def test_e4_invalid_flags_are_internal_and_shown_in_bits():
    error = envelope.invalid_flags(0b10010)
    assert (error.code, error.message) == (Code.INTERNAL, "protocol error: invalid envelope flags 00010010")


# Framing


def framing(*, decompress=None, compress=None, **limits):
    frames = envelope.Framing(Limits(**limits))
    known = available()
    frames.decompress = known.get(decompress)
    frames.compress = known.get(compress)
    return frames


@pytest.mark.parametrize("step", [1, 4, 5, 1000])
@pytest.mark.parametrize("name", available())
def test_e8_each_message_is_packed_on_its_own_and_plain_ones_may_come_between(name, step):
    ours, theirs = framing(compress=name, compress_min_bytes=10), framing(decompress=name)
    messages = [b"short", b"long enough" * 9, b"", b"long enough" * 9]
    data = b"".join(map(ours.write, messages))
    assert [flags for flags, _ in wire.envelopes(data)] == [0, 1, 0, 1]
    assert wire.envelopes(data)[1] == wire.envelopes(data)[3], "a context was kept"
    found = [frame for chunk in wire.pieces(data, step) for frame in theirs.read(chunk)]
    theirs.close()
    assert found == [(0, message) for message in messages]


@pytest.mark.parametrize(("size", "flags"), [(9, 0), (10, 1), (11, 1)])
def test_c4_messages_below_the_threshold_stay_plain_and_say_so(size, flags):
    data = framing(compress="gzip", compress_min_bytes=10).write(b"m" * size)
    assert wire.envelopes(data)[0][0] == flags


def test_c4_nothing_is_packed_unless_it_was_agreed():
    assert framing(compress_min_bytes=0).write(b"hi") == b"\0\0\0\0\2hi"


def test_flags_of_the_protocol_stay_beside_the_one_for_compression():
    data = framing(compress="gzip", compress_min_bytes=0).write(b"hi", flags=0x80)
    assert data[0] == 0x81
    (frame,) = framing(decompress="gzip").read(data)
    assert frame == (0x80, b"hi")


def test_e2_a_compressed_message_without_a_named_compression_is_internal():
    with pytest.raises(ConnectError, match="no compression was named") as caught:
        list(framing().read(wire.envelope(b"hi", 1)))
    assert caught.value.code is Code.INTERNAL


def test_e3_an_empty_envelope_is_the_empty_message_even_if_flagged_as_compressed():
    assert list(framing(decompress="gzip").read(wire.envelope(b"", 1))) == [(0, b"")]


@pytest.mark.parametrize("name", available())
def test_c5_a_message_that_can_not_be_unpacked_is_invalid(name):
    with pytest.raises(ConnectError) as caught:
        list(framing(decompress=name).read(wire.envelope(b"nothing that was packed", 1)))
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("name", available())
def test_l1_the_limit_is_on_the_unpacked_size_and_inclusive(name):
    data = framing(compress=name, compress_min_bytes=0).write(b"m" * 1000)
    (frame,) = framing(decompress=name, read_max_bytes=1000).read(data)
    assert len(frame.data) == 1000
    with pytest.raises(ConnectError) as caught:
        list(framing(decompress=name, read_max_bytes=999).read(data))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


def test_l4_a_message_over_the_limit_of_what_is_sent_is_refused():
    frames = framing(send_max_bytes=3)
    assert frames.write(b"abc") == b"\0\0\0\0\3abc"
    with pytest.raises(ConnectError, match="limit of 3") as caught:
        frames.write(b"abcd")
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


class Counting:
    name = "counting"

    def __init__(self):
        self.unpacked = 0

    def compress(self, data):
        raise AssertionError("only reading is counted here")

    def decompress(self, data, max_bytes):
        self.unpacked += 1
        return data


def test_l2_a_message_is_unpacked_when_it_is_asked_for_and_not_before():
    frames = envelope.Framing(Limits())
    frames.decompress = counting = Counting()
    messages = frames.read(wire.envelope(b"x", 1) * 100)
    assert counting.unpacked == 0
    next(messages)
    assert counting.unpacked == 1


def test_l2_many_small_messages_that_unpack_to_large_ones_are_never_held_together():
    mebibyte = 1024 * 1024
    bomb = framing(compress="gzip").write(bytes(mebibyte)) * 100
    frames = framing(decompress="gzip")
    tracemalloc.start()
    try:
        total = sum(len(frame.data) for frame in frames.read(bomb))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 100 * mebibyte
    assert peak < 5 * mebibyte
