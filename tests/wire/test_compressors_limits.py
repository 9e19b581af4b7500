"""What a peer can make a compression hold or do: limits, bombs, and parts without number."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
import tracemalloc
import zlib

import brotli
import cramjam
import pytest
import zstandard

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.compression import available

KNOWN = available()
MIB = 1 << 20
SNAPPY_START = b"\xff\x06\0\0sNaPpY"

every_name = pytest.mark.parametrize("name", KNOWN)


def refused(name, data, max_bytes=MIB):
    """The error that unpacking *data* ends in."""
    with pytest.raises(ConnectError) as caught:
        KNOWN[name].decompress(data, max_bytes)
    return caught.value


# The limit


@every_name
@pytest.mark.parametrize("size", [1, 1000, 65_536, 65_537, 300_000])
def test_l1_the_limit_is_inclusive(name, size):
    wire = KNOWN[name].compress(bytes(size))
    assert len(KNOWN[name].decompress(wire, size)) == size
    error = refused(name, wire, size - 1)
    assert error.code is Code.RESOURCE_EXHAUSTED
    assert error.message == f"message unpacks to more than the limit of {size - 1} bytes"


def test_l1_members_count_together():
    wire = gzip.compress(b"12345") * 2
    assert KNOWN["gzip"].decompress(wire, 10) == b"1234512345"
    assert refused("gzip", wire, 9).code is Code.RESOURCE_EXHAUSTED


# Lies and bombs


def test_l2_a_zstd_frame_that_claims_to_be_small_is_not_believed():
    honest = KNOWN["zstd"].compress(bytes(60_000))
    liar = honest.replace((60_000 - 256).to_bytes(2, "little"), (10).to_bytes(2, "little"), 1)
    assert zstandard.get_frame_parameters(liar).content_size == 266
    assert refused("zstd", liar, 300).code is Code.INVALID_ARGUMENT


def zstd_frame(exponent):
    """A frame of one byte that wants a window of 2 ** (10 + *exponent*) bytes (RFC 8878, 3.1.1.1.2)."""
    return b"\x28\xb5\x2f\xfd\0" + bytes([exponent << 3]) + (1 | 1 << 3).to_bytes(3, "little") + b"x"


def test_l2_a_zstd_window_of_8_mib_is_the_widest_that_is_given():
    assert KNOWN["zstd"].decompress(zstd_frame(13), 1) == b"x"
    for exponent in (14, 21, 31):  # 16 MiB, 2 GiB, 2 TiB
        assert refused("zstd", zstd_frame(exponent)).code is Code.INVALID_ARGUMENT


def test_l2_snappy_that_claims_4_gib_gets_no_memory():
    wire = SNAPPY_START + b"\0\x0b\0\0" + bytes(4) + b"\xff\xff\xff\xff\x0f\0x"
    tracemalloc.start()
    try:
        assert refused("snappy", wire).code is Code.RESOURCE_EXHAUSTED
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def flushing(packer, flush):
    """A stream of 1 GiB of zeros without its end: the second MiB, packed, is as good as any later."""
    first, later = (packer(bytes(MIB)) + flush() for _ in range(2))
    return first + later * 1023


def zlib_bomb(wbits):
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return flushing(packer.compress, lambda: packer.flush(zlib.Z_FULL_FLUSH))


def brotli_bomb():
    packer = brotli.Compressor(quality=2)
    return flushing(packer.process, packer.flush)


def zstd_bomb():
    """Blocks of four bytes that stand for 128 KiB each: one byte, repeated."""
    block = (1 << 1 | 128 * 1024 << 3).to_bytes(3, "little") + b"\0"
    last = (1 | 1 << 1 | 128 * 1024 << 3).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\0" + bytes([13 << 3]) + block * (8 * 1024 - 1) + last


def snappy_bomb():
    """The densest that the format allows, a twentieth: 1 GiB is 50 MB, so 256 MiB it is."""
    head, body = SNAPPY_START, bytes(cramjam.snappy.compress(bytes(65_536)))[len(SNAPPY_START) :]
    return head + body * (256 * 16)


BOMBS = {
    "gzip": lambda: zlib_bomb(31),
    "br": brotli_bomb,
    "zstd": zstd_bomb,
    "deflate": lambda: zlib_bomb(15),
    "snappy": snappy_bomb,
}

DEFUSE = """
import sys, time
from pathlib import Path
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.compression import available

def peak():  # getrusage would tell the parent's, if that was higher when this process began
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024

name, limit, bomb = sys.argv[1], int(sys.argv[2]), sys.stdin.buffer.read()
compression = available()[name]
compression.decompress(compression.compress(b"so that its package is there"), 100)
before, begin = peak(), time.process_time()
try:
    compression.decompress(bomb, limit)
except ConnectError as error:
    print(error.code.value, peak() - before, time.process_time() - begin)
"""


@every_name
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the memory of one process")
def test_l2_a_bomb_is_refused_at_once_and_for_little_memory(name):
    limit = 4 * MIB
    arguments = [sys.executable, "-c", DEFUSE, name, str(limit)]
    done = subprocess.run(arguments, input=BOMBS[name](), capture_output=True, check=True)
    code, grown, seconds = done.stdout.decode().split()
    assert code == "resource_exhausted"
    # The buffer on top is the window that br and zstd look back through: up to 8 MiB here.
    assert int(grown) <= limit + (8 * MIB if name in ("br", "zstd") else MIB)
    assert float(seconds) < 1


def test_what_a_message_unpacks_to_is_held_once_while_it_is_put_together():
    wire = KNOWN["gzip"].compress(bytes(8 * MIB))
    tracemalloc.start()
    try:
        assert len(KNOWN["gzip"].decompress(wire, 8 * MIB)) == 8 * MIB
        assert tracemalloc.get_traced_memory()[1] < 10 * MIB
    finally:
        tracemalloc.stop()


# Parts without number

TINY = [
    pytest.param("gzip", b"", gzip.compress(b""), id="gzip members"),
    pytest.param("zstd", b"", KNOWN["zstd"].compress(b""), id="zstd frames"),
    pytest.param(
        "snappy", SNAPPY_START, KNOWN["snappy"].compress(b"x")[len(SNAPPY_START) :], id="snappy chunks"
    ),
]


@pytest.mark.parametrize(("name", "head", "part"), TINY)
def test_many_tiny_parts_take_time_in_proportion(name, head, part):
    def seconds(count):
        begin = time.process_time()
        KNOWN[name].decompress(head + part * count, MIB)
        return time.process_time() - begin

    # Eight times the parts take about eight times as long; a copy of the rest for each, sixty-four.
    assert seconds(80_000) < 30 * max(min(seconds(10_000) for _ in range(3)), 1e-3)
