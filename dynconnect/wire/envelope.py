"""Five-byte message frames, shared by gRPC, gRPC-Web and Connect streams.

Layout: one byte of flags, then the length of the data as a big-endian unsigned 32-bit integer.
Sources: gRPC over HTTP/2, "Length-Prefixed-Message"; Connect, "Enveloped-Message".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.wire.compression import Compression

COMPRESSED = 0b0000_0001
"""Flag: the data is compressed. The other bits belong to each protocol."""

_PREFIX = struct.Struct(">BI")
PREFIX_BYTES = _PREFIX.size


class Envelope(NamedTuple):
    """One frame: its flags, and its data as it stood on the wire."""

    flags: int
    data: bytes


def encode(flags: int, data: bytes) -> bytes:
    """The frame as bytes."""
    return _PREFIX.pack(flags, len(data)) + data


def invalid_flags(flags: int) -> ConnectError:
    """The error of an envelope whose *flags* mean nothing in its place."""
    return ConnectError(Code.INTERNAL, f"protocol error: invalid envelope flags {flags:08b}")


def compressed_max_bytes(max_bytes: int) -> int:
    """The most that a message of *max_bytes* can take on the wire, compressed.

    The limit is on what a message unpacks to, and data that does not shrink grows: snappy's bound,
    the widest of those we know, is a sixth and 32 bytes.
    """
    return max_bytes + max_bytes // 4 + 128


class Reader:
    """Cuts a byte stream, in chunks of any size, into envelopes.

    Args:
        max_bytes: the longest message accepted, in bytes. It is checked against the prefix, before
            any of the data is waited for.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Envelope]:
        """Take *chunk* and yield the envelopes it completes; take them all before the next chunk.

        Raises:
            ConnectError: RESOURCE_EXHAUSTED if a prefix announces more than *max_bytes*.
        """
        buffer = self._buffer
        buffer += chunk
        while len(buffer) >= PREFIX_BYTES:
            flags, size = _PREFIX.unpack_from(buffer)
            if size > self._max_bytes:
                self._refuse(flags, size)
            end = PREFIX_BYTES + size
            if len(buffer) < end:
                return
            data = bytes(memoryview(buffer)[PREFIX_BYTES:end])
            del buffer[:end]
            yield Envelope(flags, data)

    def whole(self, chunk: bytes) -> bytes | None:
        """The data of the one envelope, without flags, that *chunk* is; None if it is anything else."""
        if self._buffer or len(chunk) < PREFIX_BYTES:
            return None
        flags, size = _PREFIX.unpack_from(chunk)
        fits = not flags and len(chunk) == PREFIX_BYTES + size and size <= self._max_bytes
        return chunk[PREFIX_BYTES:] if fits else None

    def close(self) -> None:
        """Check that the stream ended between two frames.

        Raises:
            ConnectError: INVALID_ARGUMENT if it ended inside one.
        """
        if self._buffer:
            raise ConnectError(Code.INVALID_ARGUMENT, "protocol error: the body ends inside an envelope")

    def _refuse(self, flags: int, size: int) -> None:
        if flags & COMPRESSED and size <= compressed_max_bytes(self._max_bytes):
            return
        raise ConnectError(
            Code.RESOURCE_EXHAUSTED,
            f"message size {size} is larger than the limit of {self._max_bytes}",
        )


class Framing:
    """Envelopes with their compression undone or applied; one side of one call.

    Both `decompress` and `compress` are None for identity, and are set once the headers that name
    them are known.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reader = Reader(limits.read_max_bytes)
        self.decompress: Compression | None = None
        self.compress: Compression | None = None

    def read(self, chunk: bytes) -> Iterator[Envelope]:
        """The envelopes that *chunk* completes, each unpacked when it is asked for.

        So that many small messages which unpack to large ones are never held together.
        """
        for frame in self._reader.feed(chunk):
            yield self._unpack(frame) if frame.flags & COMPRESSED else frame

    def messages(self, chunk: bytes) -> Iterable[bytes]:
        """The messages that *chunk* completes, from a peer that may send nothing but messages.

        Raises:
            ConnectError: INTERNAL for an envelope with a flag that is not `COMPRESSED`.
        """
        data = self._reader.whole(chunk)  # as most are
        return self._messages(chunk) if data is None else (data,)

    def _messages(self, chunk: bytes) -> Iterator[bytes]:
        for frame in self._reader.feed(chunk):
            if frame.flags & COMPRESSED:
                frame = self._unpack(frame)
            if frame.flags:
                raise invalid_flags(frame.flags)
            yield frame.data

    def close(self) -> None:
        """Check that the stream ended between two envelopes."""
        self._reader.close()

    def write(self, data: bytes, flags: int = 0) -> bytes:
        """An envelope of *data*, packed if that is agreed and worth it.

        Raises:
            ConnectError: RESOURCE_EXHAUSTED if *data* is over the limit of what is sent.
        """
        check_sent(data, self._limits)
        if self.compress is not None and len(data) >= self._limits.compress_min_bytes:
            return encode(flags | COMPRESSED, self.compress.compress(data))
        return encode(flags, data)

    def _unpack(self, frame: Envelope) -> Envelope:
        if self.decompress is None:
            raise ConnectError(
                Code.INTERNAL, "protocol error: a compressed message, but no compression was named"
            )
        if not frame.data:
            return Envelope(frame.flags ^ COMPRESSED, b"")
        data = self.decompress.decompress(frame.data, self._limits.read_max_bytes)
        return Envelope(frame.flags ^ COMPRESSED, data)


def check_sent(data: bytes, limits: Limits) -> None:
    """Raise RESOURCE_EXHAUSTED if the message *data* is larger than what may be sent."""
    if limits.send_max_bytes is not None and len(data) > limits.send_max_bytes:
        raise ConnectError(
            Code.RESOURCE_EXHAUSTED,
            f"message of {len(data)} bytes is larger than the limit of {limits.send_max_bytes} to be sent",
        )
