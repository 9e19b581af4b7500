"""The Connect protocol: plain HTTP for unary calls, envelopes for streams.

Source: Connect protocol reference, version 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from dynconnect.wire.base import Call, CallOptions, Exchange, Offer
from dynconnect.wire.connect_call import StreamCall, UnaryCall
from dynconnect.wire.connect_common import STREAM, UNARY, parse_timeout
from dynconnect.wire.connect_stream import StreamExchange
from dynconnect.wire.connect_unary import GetExchange, UnaryExchange
from dynconnect.wire.events import Request
from dynconnect.wire.plain import Plain


class Connect:
    """Connect: any HTTP version, and a GET for calls that change nothing."""

    name = "connect"
    needs_trailers = False

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def content_types(self, codecs: Sequence[str], *, streaming: bool) -> Mapping[str, str]:
        """``application/proto`` and its like, or ``application/connect+proto``."""
        return {(STREAM if streaming else UNARY) + codec: codec for codec in codecs}

    def open(self, request: Request, codec: str, *, streaming: bool) -> Exchange:
        """The exchange of a stream, a GET or any other unary call."""
        if streaming:
            return StreamExchange(self._offer, request, codec)
        if request.method == "GET":
            return GetExchange(self._offer, request, codec)
        return UnaryExchange(self._offer, request, codec)

    def plain(self, codecs: Sequence[str]) -> Mapping[str, Plain]:
        """Its plain calls, by content type."""
        offer, version = self._offer, b"" if self._offer.require_version else b"1"

        def is_plain(headers: Mapping[bytes, bytes]) -> bool:
            unpacked = headers.get(b"content-encoding", b"identity") == b"identity"
            return unpacked and headers.get(b"connect-protocol-version", version) == b"1"

        return {
            UNARY + codec: Plain(
                self.name,
                codec,
                offer,
                framed=False,
                needs_trailers=self.needs_trailers,
                is_plain=is_plain,
                timeout=b"connect-timeout-ms",
                read_timeout=parse_timeout,
                accepts=b"accept-encoding",
                open=partial(self.open, codec=codec, streaming=False),
            )
            for codec in codecs
        }

    def call(self, path: str, codec: str, options: CallOptions, *, streaming: bool) -> Call:
        """The call of a stream, or of a unary method by POST or GET."""
        kind = StreamCall if streaming else UnaryCall
        return kind(self._offer, path, codec, options)
