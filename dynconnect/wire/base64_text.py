"""The base64 that gRPC-Web's text mode wraps around a body.

Chunks are encoded each on its own and then joined, so padding may stand anywhere.
Source: gRPC-Web, "Message framing" (grpc-web-text).
"""

from __future__ import annotations

import base64
import binascii

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError

_GROUP = 4


class Decoder:
    """Takes a body of joined base64 chunks, in pieces of any size, and gives its bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The bytes that *data* completes.

        Raises:
            ConnectError: INVALID_ARGUMENT if it is not base64.
        """
        data = self._rest + data
        whole = len(data) - len(data) % _GROUP
        self._rest = data[whole:]
        return _decode(data[:whole])

    def close(self) -> bytes:
        """What is left at the end, whose padding some clients leave out."""
        rest, self._rest = self._rest, b""
        return _decode(rest + b"=" * (-len(rest) % _GROUP))


def _decode(data: bytes) -> bytes:
    """The bytes of whole groups of four characters, with padding at the end of any of them."""
    try:
        if b"=" not in data[:-2]:
            return base64.b64decode(data, validate=True)
        groups = (data[at : at + _GROUP] for at in range(0, len(data), _GROUP))
        return b"".join(base64.b64decode(group, validate=True) for group in groups)
    except binascii.Error as exc:
        raise ConnectError(Code.INVALID_ARGUMENT, f"protocol error: the body is not base64: {exc}") from exc
