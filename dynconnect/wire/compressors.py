"""The compressions themselves; `dynconnect.wire.compression` says what they have in common.

What a peer sends is unpacked in bounded steps, so that a small message can't fill the memory, and
strictly: whatever is cut short or followed by anything else is refused.
The packages behind ``br``, ``zstd`` and ``snappy`` are optional, and imported at their first use.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError

# Fast levels, since a response is packed once and while others wait. Measured on JSON of 1 to 84 KiB:
# gzip 2 takes 42 % of the time of gzip 6, for 4 to 11 % more bytes; br 2 a third of br 5, and zstd 1
# two thirds of zstd 3, for about the same bytes. br's own default, 11, takes 200 times as long as 2.
_ZLIB_LEVEL = 2
_BROTLI_QUALITY = 2
_ZSTD_LEVEL = 1

_FEED_BYTES = 4 * 1024
"""Handed to zlib at a time. It copies what it leaves over, so less is cheaper with many members."""
_STEP_BYTES = 64 * 1024
"""Unpacked at a time, about: by so much is a limit overrun before it is noticed."""
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
"""The widest window that a zstd frame may ask memory for (RFC 9659, 3)."""


@dataclass(frozen=True, slots=True)
class Zlib:
    """``gzip`` (RFC 1952), of any number of members, or ``deflate``, which is RFC 1950 and not 1951."""

    name: str

    def installed(self) -> bool:
        """Whether its package is there: always, for it is Python's."""
        return True

    def compress(self, data: bytes) -> bytes:
        """See `Compression`."""
        return zlib.compress(data, _ZLIB_LEVEL, self._wbits)

    def decompress(self, data: bytes, max_bytes: int) -> bytes:
        """See `Compression`."""
        try:
            return _gather(self._pieces(data), max_bytes)
        except zlib.error as exc:
            raise _corrupt(self.name, exc) from exc

    @property
    def _wbits(self) -> int:
        # 15 is the widest window; zlib has 16 more stand for gzip's wrapper in place of its own.
        return zlib.MAX_WBITS + 16 if self.name == "gzip" else zlib.MAX_WBITS

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        rest = yield from self._member(memoryview(data))
        while rest and self.name == "gzip":
            rest = yield from self._member(rest)
        if rest:
            raise _corrupt(self.name, f"{len(rest)} bytes after its end")

    def _member(self, data: memoryview) -> Generator[bytes, None, memoryview]:
        """Yield the pieces of the member that *data* begins with; return what follows it."""
        inflater, at = zlib.decompressobj(self._wbits), 0
        while not inflater.eof:
            feed: bytes | memoryview = inflater.unconsumed_tail
            if not feed:
                feed = data[at : at + _FEED_BYTES]
                at += len(feed)
            if not feed:  # even if there is more to come out: the checksum is not
                raise _ends_early(self.name)
            yield inflater.decompress(feed, _STEP_BYTES)
        return data[at - len(inflater.unused_data) :]


class Brotli:
    """Brotli (RFC 7932)."""

    name = "br"

    def installed(self) -> bool:
        """Whether its package is there and can stop before the end: brotli 1.2 or later.

        It is imported to find out, which takes a millisecond; to read its version takes forty.
        """
        if find_spec("brotli") is None:
            return False
        import brotli  # type: ignore[import-untyped]  # it ships no types

        return hasattr(brotli.Decompressor, "can_accept_more_data")

    def compress(self, data: bytes) -> bytes:
        """See `Compression`."""
        import brotli

        packed: bytes = brotli.compress(data, quality=_BROTLI_QUALITY)
        return packed

    def decompress(self, data: bytes, max_bytes: int) -> bytes:
        """See `Compression`."""
        import brotli

        try:
            return _gather(self._pieces(data), max_bytes)
        except brotli.error as exc:  # for bytes after the end, too
            raise _corrupt(self.name, exc) from exc

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        import brotli

        unpacker = brotli.Decompressor()
        yield unpacker.process(data, output_buffer_limit=_STEP_BYTES)
        while not unpacker.is_finished():
            piece = unpacker.process(b"", output_buffer_limit=_STEP_BYTES)
            if not piece:
                raise _ends_early(self.name)
            yield piece


class Zstd:
    """Zstandard (RFC 8878), of any number of frames."""

    name = "zstd"

    def installed(self) -> bool:
        """Whether its package is there."""
        return find_spec("zstandard") is not None

    def compress(self, data: bytes) -> bytes:
        """See `Compression`."""
        import zstandard

        # A compressor that is kept would save 3 us, and break as soon as two threads use it.
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data)

    def decompress(self, data: bytes, max_bytes: int) -> bytes:
        """See `Compression`."""
        import zstandard

        try:
            self._check_ends(data)
            return _gather(self._pieces(data), max_bytes)
        except zstandard.ZstdError as exc:
            raise _corrupt(self.name, exc) from exc

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        import zstandard

        unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        reader = unpacker.stream_reader(data, read_across_frames=True)
        while piece := reader.read(_STEP_BYTES):
            yield piece

    def _check_ends(self, data: bytes) -> None:
        # zstandard's reader takes data that is cut short for all there is, its one-shot functions
        # trust the size that a frame claims, and its decompressobj has no bound. So the frames are
        # measured first, by the sizes of their blocks.
        at = self._frame_end(data, 0)
        while at < len(data):
            at = self._frame_end(data, at)
        if at > len(data):
            raise _ends_early(self.name)

    def _frame_end(self, data: bytes, at: int) -> int:
        """The index after the frame at *at*, or beyond *data* (RFC 8878, 3.1.1 and 3.1.2)."""
        import zstandard

        if data[at + 1 : at + 4] == b"\x2a\x4d\x18" and data[at] & 0xF0 == 0x50:  # a skippable frame
            return at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        head = data[at : at + 18]
        checksum = 4 if zstandard.get_frame_parameters(head).has_checksum else 0
        at += zstandard.frame_header_size(head)
        while at < len(data):
            block = int.from_bytes(data[at : at + 3], "little")
            last, kind, size = block & 1, block >> 1 & 3, block >> 3
            at += 3 + (1 if kind == 1 else size)  # kind 1 is one byte, repeated
            if last:
                return at + checksum
        raise _ends_early(self.name)


class Snappy:
    """Snappy's framing format (``framing_format.txt`` of google/snappy), and not its bare blocks."""

    name = "snappy"
    _START = b"\xff\x06\x00\x00sNaPpY"

    def installed(self) -> bool:
        """Whether its package is there."""
        return find_spec("cramjam") is not None

    def compress(self, data: bytes) -> bytes:
        """See `Compression`."""
        from cramjam import snappy

        return bytes(snappy.compress(data)) or self._START

    def decompress(self, data: bytes, max_bytes: int) -> bytes:
        """See `Compression`."""
        import cramjam

        if not data.startswith(self._START):
            raise _corrupt(self.name, "it does not begin as the framing format does")
        try:
            # The chunks say how long they will be, and cramjam, which verifies their checksums,
            # writes no further than the end of what it is given.
            unpacked = bytearray(self._size(data, max_bytes))
            cramjam.snappy.decompress_into(data, unpacked)
        except cramjam.DecompressionError as exc:
            raise _corrupt(self.name, exc) from exc
        return bytes(unpacked)

    def _size(self, data: bytes, max_bytes: int) -> int:
        """Bytes in all chunks of *data* once unpacked, by what the chunks themselves claim."""
        from cramjam import snappy

        at = size = 0
        while at < len(data):
            kind, end = data[at], at + 4 + int.from_bytes(data[at + 1 : at + 4], "little")
            if kind == 0:  # compressed: a checksum, then a block that begins with its size
                size += snappy.decompress_raw_len(data[at + 8 : at + 13])
            elif kind == 1:  # uncompressed: a checksum, then the bytes
                size += max(0, end - at - 8)
            if size > max_bytes:
                raise _too_large(max_bytes)
            at = end
        return size


def _gather(pieces: Iterator[bytes], max_bytes: int) -> bytes:
    """*pieces* in one; no more of them are asked for once they are too many."""
    held = BytesIO()  # it gives its buffer away at the end, where a list would be copied
    for piece in pieces:
        if held.tell() + len(piece) > max_bytes:
            raise _too_large(max_bytes)
        held.write(piece)
    return held.getvalue()


def _too_large(max_bytes: int) -> ConnectError:
    return ConnectError(
        Code.RESOURCE_EXHAUSTED, f"message unpacks to more than the limit of {max_bytes} bytes"
    )


def _corrupt(name: str, why: object) -> ConnectError:
    return ConnectError(Code.INVALID_ARGUMENT, f"corrupt {name} data: {why}")


def _ends_early(name: str) -> ConnectError:
    return _corrupt(name, "it ends early")
