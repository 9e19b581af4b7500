"""The base64 that gRPC-Web's text mode wraps around a body.

Chunks are encoded each on its own and then joined, so padding may stand anywhere.
Source: gRPC-Web, "Message framing" (grpc-web-text).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.base import Exchange
from dynconnect.wire.events import Data, Event

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
        return _decode(self._rest + b"=" * (-len(self._rest) % _GROUP))


def _decode(data: bytes) -> bytes:
    """The bytes of whole groups of four characters, with padding at the end of any of them."""
    try:
        if b"=" not in data[:-2]:
            return base64.b64decode(data, validate=True)
        groups = (data[at : at + _GROUP] for at in range(0, len(data), _GROUP))
        return b"".join(base64.b64decode(group, validate=True) for group in groups)
    except binascii.Error as exc:
        raise ConnectError(Code.INVALID_ARGUMENT, f"protocol error: the body is not base64: {exc}") from exc


class TextExchange:
    """A gRPC-Web exchange with base64 around its answers, and around its requests if *text_in*."""

    def __init__(self, inner: Exchange, *, text_in: bool) -> None:
        self._inner = inner
        self._decoder = Decoder() if text_in else None
        self.codec = inner.codec
        self.timeout: float | None = None
        self.response_headers = inner.response_headers
        self.response_trailers = inner.response_trailers

    def start(self) -> None:
        self._inner.start()
        self.timeout = self._inner.timeout

    def receive(self, data: bytes) -> Iterable[bytes]:
        return self._inner.receive(data if self._decoder is None else self._decoder.feed(data))

    def receive_end(self) -> Iterator[bytes]:
        if self._decoder is not None:
            yield from self._inner.receive(self._decoder.close())
        yield from self._inner.receive_end()

    def head(self) -> Sequence[Event]:
        return self._inner.head()

    def send(self, message: bytes) -> Sequence[Event]:
        return _as_text(self._inner.send(message))

    def end(self, error: ConnectError | None) -> Sequence[Event]:
        return _as_text(self._inner.end(error))


def _as_text(events: Sequence[Event]) -> Sequence[Event]:
    """*events* with each piece of the body encoded on its own, padding included."""
    return [Data(base64.b64encode(event.data)) if isinstance(event, Data) else event for event in events]
