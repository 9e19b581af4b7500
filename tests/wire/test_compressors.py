"""Each compression against others' implementations of it, and against what a peer may do to it."""

from __future__ import annotations

import gzip
import random
import zlib

import brotli
import cramjam
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.compression import available

KNOWN = available()
MIB = 1 << 20

every_name = pytest.mark.parametrize("name", KNOWN)

MESSAGES = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"\0", id="one byte"),
    pytest.param(b"a message like any other " * 20, id="text"),
    pytest.param(bytes(300_000), id="zeros, more than a step"),
    pytest.param(random.Random(7).randbytes(200_000), id="noise, which only grows"),  # noqa: S311
    pytest.param(b"".join(b"row %d\n" % row for row in range(40_000)), id="rows"),
]
TEXT = b"".join(b"line %d of a message\n" % line for line in range(60))


def refused(name, data, max_bytes=MIB):
    """The error that unpacking *data* ends in."""
    with pytest.raises(ConnectError) as caught:
        KNOWN[name].decompress(data, max_bytes)
    return caught.value


# Packing and unpacking, alone and with others


@every_name
@pytest.mark.parametrize("message", MESSAGES)
def test_c1_what_is_packed_is_unpacked(name, message):
    packed = KNOWN[name].compress(message)
    assert KNOWN[name].decompress(packed, len(message)) == message


OTHERS = {
    "gzip": (gzip.compress, gzip.decompress),
    "br": (cramjam.brotli.compress, cramjam.brotli.decompress),
    "zstd": (cramjam.zstd.compress, cramjam.zstd.decompress),
    "deflate": (cramjam.zlib.compress, cramjam.zlib.decompress),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("message", MESSAGES)
def test_c1_others_read_what_we_write_and_we_read_theirs(name, message):
    pack, unpack = OTHERS[name]
    assert bytes(unpack(KNOWN[name].compress(message))) == message
    assert KNOWN[name].decompress(bytes(pack(message)), MIB) == message


@every_name
def test_text_gets_smaller(name):
    assert len(KNOWN[name].compress(TEXT)) < len(TEXT) / 2


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_gzip_and_deflate_of_any_level_are_read(level):
    assert KNOWN["gzip"].decompress(zlib.compress(TEXT, level, 31), MIB) == TEXT
    assert KNOWN["deflate"].decompress(zlib.compress(TEXT, level, 15), MIB) == TEXT


def test_gzip_with_a_file_name_and_a_time_is_read():
    named = bytearray(gzip.compress(TEXT, mtime=1_700_000_000))
    named[3] |= 0b1000  # FNAME: a name that ends in 0 follows the ten bytes of the header
    named[10:10] = b"message.bin\0"
    assert KNOWN["gzip"].decompress(bytes(named), MIB) == TEXT


@pytest.mark.parametrize("level", [1, 3, 19])
@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize("size", [True, False])
def test_zstd_with_and_without_its_optional_parts_is_read(level, checksum, size):
    other = zstandard.ZstdCompressor(level=level, write_checksum=checksum, write_content_size=size)
    assert KNOWN["zstd"].decompress(other.compress(TEXT), MIB) == TEXT


@pytest.mark.parametrize("quality", [0, 5, 11])
def test_brotli_of_any_quality_is_read(quality):
    assert KNOWN["br"].decompress(brotli.compress(TEXT, quality=quality), MIB) == TEXT


# Snappy's framing, chunk by chunk: there is one library, so the other side is written here


def crc32c(data):
    """CRC-32C, bit by bit (RFC 3720, B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    """framing_format.txt, 3: the checksum of a chunk, disguised."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")


def chunk(kind, data):
    return bytes([kind]) + len(data).to_bytes(3, "little") + data


START = chunk(0xFF, b"sNaPpY")


def plain(data):
    """A chunk that is not compressed."""
    return chunk(1, masked(data) + data)


def packed(data):
    """A chunk whose block is one literal, of up to 60 bytes."""
    return chunk(0, masked(data) + bytes([len(data), len(data) - 1 << 2]) + data)


def test_the_checksum_of_these_tests_is_the_published_one():
    assert crc32c(b"123456789") == 0xE3069283


FRAMED = [
    pytest.param(START, b"", id="no chunks"),
    pytest.param(START + plain(b"hello"), b"hello", id="an uncompressed chunk"),
    pytest.param(START + packed(b"hello"), b"hello", id="a compressed chunk"),
    pytest.param(START + packed(b"hel") + plain(b"lo"), b"hello", id="both"),
    pytest.param(START + plain(b"") + plain(b"hello"), b"hello", id="an empty chunk"),
    pytest.param(START + plain(b"hel") + START + plain(b"lo"), b"hello", id="one stream upon another"),
    pytest.param(START + chunk(0xFE, b"\0" * 9) + plain(b"hello"), b"hello", id="padding"),
    pytest.param(START + chunk(0x80, b"note") + plain(b"hello"), b"hello", id="a chunk to skip"),
]


@pytest.mark.parametrize(("wire", "expected"), FRAMED)
def test_c1_snappy_is_the_framing_format(wire, expected):
    assert KNOWN["snappy"].decompress(wire, len(expected)) == expected


def test_c1_snappy_is_written_in_the_framing_format():
    wire = KNOWN["snappy"].compress(bytes(100_000))
    assert wire.startswith(START)
    assert wire[len(START)] == 0


BAD_SNAPPY = [
    pytest.param(plain(b"hello"), id="no start"),
    pytest.param(chunk(0xFF, b"sNaPpX") + plain(b"hello"), id="another start"),
    pytest.param(START + chunk(1, bytes(4) + b"hello"), id="a wrong checksum"),
    pytest.param(START + chunk(0, bytes(4) + packed(b"hello")[8:]), id="a wrong checksum of a packed chunk"),
    pytest.param(START + chunk(1, b"abc"), id="a chunk too short for a checksum"),
    pytest.param(START + chunk(0, masked(b"")), id="a chunk without its block"),
    pytest.param(
        START + chunk(0, masked(b"hello") + b"\x04" + packed(b"hello")[9:]), id="more than it claims"
    ),
    pytest.param(
        START + chunk(0, masked(b"hello") + b"\x06" + packed(b"hello")[9:]), id="less than it claims"
    ),
    pytest.param(START + chunk(0, masked(b"x") + b"\xff" * 5 + b"\0x"), id="a size that is no number"),
    pytest.param(START + chunk(0x02, b"what is this"), id="a chunk not to skip"),
    pytest.param(START + plain(bytes(65_537)), id="a chunk of more than 64 KiB"),
]


@pytest.mark.parametrize("wire", BAD_SNAPPY)
def test_c5_snappy_with_a_bad_chunk_is_invalid_argument(wire):
    assert refused("snappy", wire).code is Code.INVALID_ARGUMENT


# What is not what it says


@every_name
def test_c5_no_bytes_at_all_are_invalid_argument(name):
    assert refused(name, b"").code is Code.INVALID_ARGUMENT


@every_name
@pytest.mark.parametrize("data", [b"\0", b"not compressed at all", b"{}", b"\xff" * 64])
def test_c5_what_was_never_packed_is_invalid_argument_and_named(name, data):
    error = refused(name, data)
    assert error.code is Code.INVALID_ARGUMENT
    assert error.message.startswith(f"corrupt {name} data: ")


@every_name
@pytest.mark.parametrize("other", KNOWN)
def test_c5_one_taken_for_another_is_invalid_argument(name, other):
    if name != other:
        assert refused(name, KNOWN[other].compress(TEXT)).code is Code.INVALID_ARGUMENT


@every_name
def test_c5_truncated_data_is_invalid_argument_wherever_it_is_cut(name):
    whole = KNOWN[name].compress(TEXT)
    # Snappy's framing has no end of its own: between two chunks nobody can tell that one is missing.
    cuts = set(range(len(whole))) - ({len(START)} if name == "snappy" else set())
    assert {refused(name, whole[:cut]).code for cut in cuts} == {Code.INVALID_ARGUMENT}


@every_name
def test_c5_long_data_cut_between_two_steps_is_invalid_argument(name):
    whole = KNOWN[name].compress(random.Random(3).randbytes(300_000))  # noqa: S311
    for cut in (4096, 65_536, 131_072, len(whole) - 1):
        assert refused(name, whole[:cut]).code is Code.INVALID_ARGUMENT


GARBAGE = [b"\0", b"x", b"\0" * 12, b"garbage that goes on"]


@every_name
@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("message", [b"", TEXT, bytes(300_000)])
def test_c5_trailing_garbage_is_invalid_argument(name, garbage, message):
    assert refused(name, KNOWN[name].compress(message) + garbage).code is Code.INVALID_ARGUMENT


CHECKED = {
    "gzip": lambda data: gzip.compress(data),
    "deflate": lambda data: zlib.compress(data),
    "zstd": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
}


@pytest.mark.parametrize("name", CHECKED)
def test_c5_a_wrong_checksum_is_invalid_argument(name):
    wire = bytearray(CHECKED[name](TEXT))
    at = -8 if name == "gzip" else -4  # after gzip's comes the size
    wire[at] ^= 1
    assert refused(name, bytes(wire)).code is Code.INVALID_ARGUMENT


def test_k12_raw_deflate_is_not_deflate():
    raw = zlib.compressobj(wbits=-15)
    assert refused("deflate", raw.compress(TEXT) + raw.flush()).code is Code.INVALID_ARGUMENT


def test_k12_a_bare_snappy_block_is_not_snappy():
    error = refused("snappy", bytes(cramjam.snappy.compress_raw(TEXT)))
    assert error.code is Code.INVALID_ARGUMENT
    assert "framing format" in error.message


@every_name
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_c5_whatever_is_done_to_the_bytes_nothing_else_is_raised(name, data):
    wire = bytearray(KNOWN[name].compress(data.draw(st.binary(max_size=200)) * 8))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(wire)))
        wire[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        assert len(KNOWN[name].decompress(bytes(wire), 1000)) <= 1000
    except ConnectError as error:
        assert error.code in (Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED)  # noqa: PT017  any of them will do


# Several in one


def test_c5_gzip_of_several_members_is_legal():
    members = [b"", TEXT, b"", bytes(200_000), b"end", b""]
    wire = b"".join(map(gzip.compress, members))
    assert KNOWN["gzip"].decompress(wire, MIB) == b"".join(members)


def test_c5_a_truncated_last_member_is_invalid_argument():
    assert refused("gzip", gzip.compress(TEXT) + gzip.compress(TEXT)[:-1]).code is Code.INVALID_ARGUMENT


def test_c5_zstd_of_several_frames_is_legal():
    frames = [b"", TEXT, b"", bytes(200_000), b"end", b""]
    wire = b"".join(map(KNOWN["zstd"].compress, frames))
    assert KNOWN["zstd"].decompress(wire, MIB) == b"".join(frames)


SKIPPED = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"


def test_zstd_frames_that_are_to_be_skipped_are():
    assert KNOWN["zstd"].decompress(SKIPPED + KNOWN["zstd"].compress(TEXT) + SKIPPED, MIB) == TEXT


def test_c5_a_truncated_last_frame_is_invalid_argument():
    for wire in (KNOWN["zstd"].compress(TEXT), SKIPPED):
        assert refused("zstd", KNOWN["zstd"].compress(TEXT) + wire[:-1]).code is Code.INVALID_ARGUMENT


def test_c5_deflate_has_no_second_member():
    assert refused("deflate", zlib.compress(b"a") * 2).code is Code.INVALID_ARGUMENT
