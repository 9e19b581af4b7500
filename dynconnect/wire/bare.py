"""Bare messages: where a whole body, or the query of a GET, is one message.

What `envelope` is to streams, this is to Connect's unary calls.
Source: Connect protocol reference, version 1, "Unary-Request" (Bare-Message).
"""

from __future__ import annotations

from typing import NoReturn

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.wire.compression import Compression
from dynconnect.wire.envelope import check_sent, compressed_max_bytes


class Bare:
    """A message as a whole body, with its compression undone or applied; one side of one call.

    Both `decompress` and `compress` are None for identity, and are set once the headers that name
    them are known.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._body: bytes | bytearray = b""
        self.decompress: Compression | None = None
        self.compress: Compression | None = None

    def feed(self, chunk: bytes) -> None:
        """Take a piece of the body.

        Raises:
            ConnectError: RESOURCE_EXHAUSTED if no message within the limit is that long.
        """
        limit = self._limits.read_max_bytes
        held = limit if self.decompress is None else compressed_max_bytes(limit)
        if len(self._body) + len(chunk) > held:
            self._body = b""
            self._refuse()
        if self._body:
            self._body = bytearray(self._body) if isinstance(self._body, bytes) else self._body
            self._body += chunk
        else:
            self._body = chunk  # most bodies come in one piece

    def read(self) -> bytes:
        """The message that the body was."""
        return self.unpack(bytes(self._body))

    def unpack(self, data: bytes) -> bytes:
        """The message in *data*.

        Raises:
            ConnectError: INVALID_ARGUMENT if it can't be unpacked, RESOURCE_EXHAUSTED if it is over
                the limit.
        """
        limit = self._limits.read_max_bytes
        # A body of no bytes is a message of no bytes, whatever its encoding is called.
        if self.decompress is not None and data:
            return self.decompress.decompress(data, limit)
        if len(data) > limit:
            self._refuse()
        return data

    def write(self, message: bytes) -> tuple[bytes, str]:
        """*message* as it goes out, packed if that is agreed and worth it, and the packing's name.

        Raises:
            ConnectError: RESOURCE_EXHAUSTED if *message* is over the limit of what is sent.
        """
        check_sent(message, self._limits)
        if self.compress is not None and len(message) >= self._limits.compress_min_bytes:
            return self.compress.compress(message), self.compress.name
        return message, ""

    def _refuse(self) -> NoReturn:
        limit = self._limits.read_max_bytes
        raise ConnectError(Code.RESOURCE_EXHAUSTED, f"message is larger than the limit of {limit} bytes")
