"""The Connect protocol: plain HTTP for unary calls, envelopes for streams.

Source: Connect protocol reference, version 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dynconnect.wire.base import Call, CallOptions, Exchange, Offer
from dynconnect.wire.connect_call import StreamCall, UnaryCall
from dynconnect.wire.connect_common import STREAM, UNARY
from dynconnect.wire.connect_stream import StreamExchange
from dynconnect.wire.connect_unary import GetExchange, UnaryExchange
from dynconnect.wire.events import Request


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

    def call(self, path: str, codec: str, options: CallOptions, *, streaming: bool) -> Call:
        """The call of a stream, or of a unary method by POST or GET."""
        kind = StreamCall if streaming else UnaryCall
        return kind(self._offer, path, codec, options)
