"""Connect's streams: envelopes each way, the outcome as JSON in the last one.

Source: Connect protocol reference, version 1, "Streaming RPCs".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire import envelope
from dynconnect.wire.base import Offer
from dynconnect.wire.connect_common import STREAM, check_version, error_json, parse_timeout, to_json
from dynconnect.wire.events import Data, End, Event, Headers, Request, Response
from dynconnect.wire.headers import outgoing

END_STREAM = 0b0000_0010
"""Flag: the envelope holds the outcome."""


class StreamExchange:
    """Envelopes each way. Every HTTP status is 200: the outcome says how it went."""

    def __init__(self, offer: Offer, request: Request, codec: str) -> None:
        self.codec = codec
        self.timeout: float | None = None
        self.response_headers = Metadata()
        self.response_trailers = Metadata()
        self._offer = offer
        self._request = request
        self._frames = envelope.Framing(offer.limits)
        self._head_sent = False

    def start(self) -> None:
        headers = self._request.headers.firsts
        name = "connect-protocol-version"
        check_version(name, headers.get(name, ""), "1", required=self._offer.require_version)
        self.timeout = parse_timeout(headers.get("connect-timeout-ms", ""))
        self._frames.decompress, self._frames.compress = self._offer.agree(
            headers.get("connect-content-encoding", ""), headers.get("connect-accept-encoding")
        )

    def receive(self, data: bytes) -> Iterable[bytes]:
        return self._frames.messages(data)

    def receive_end(self) -> Iterable[bytes]:
        self._frames.close()
        return ()

    def head(self) -> Sequence[Event]:
        if self._head_sent:
            return ()
        headers: Headers = (("content-type", STREAM + self.codec),)
        if self._offer.names:
            headers += (("connect-accept-encoding", self._offer.names),)
        if self._frames.compress is not None:
            headers += (("connect-content-encoding", self._frames.compress.name),)
        headers += outgoing(self.response_headers)
        self._head_sent = True
        return (Response(200, headers),)

    def send(self, message: bytes) -> Sequence[Event]:
        data = self._frames.write(message)
        return (*self.head(), Data(data))

    def end(self, error: ConnectError | None) -> Sequence[Event]:
        """The last envelope, which tells *error* and the trailing metadata (Connect, "EndStreamResponse")."""
        outcome: dict[str, object] = {}
        trailers = outgoing(self.response_trailers)
        if error is not None:
            outcome["error"] = error_json(error)
            trailers += outgoing(error.metadata)
        if trailers:
            metadata: dict[str, list[str]] = {}
            for name, value in trailers:
                metadata.setdefault(name, []).append(value)
            outcome["metadata"] = metadata
        # Always plain: nothing is gained on a few bytes, and every client reads it.
        return (*self.head(), Data(envelope.encode(END_STREAM, to_json(outcome))), End())
