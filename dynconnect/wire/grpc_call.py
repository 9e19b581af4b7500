"""gRPC and gRPC-Web as their client sees them: the same call, with the outcome in three places.

HTTP trailers, the last envelope of the body, or the head of an answer that has neither body nor
trailers ("Trailers-Only").
Sources: gRPC over HTTP/2 (PROTOCOL-HTTP2.md), "Responses"; gRPC-Web (PROTOCOL-WEB.md).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import NamedTuple

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire import status
from dynconnect.wire.answer import believed, check_content_type, check_status, compression_of
from dynconnect.wire.base import CallOptions, Offer
from dynconnect.wire.base64_text import Decoder
from dynconnect.wire.envelope import Framing, invalid_flags
from dynconnect.wire.events import Data, End, Event, Headers, Request, Response
from dynconnect.wire.headers import outgoing


class Dialect(NamedTuple):
    """What sets gRPC and the two modes of gRPC-Web apart, for a client."""

    content_type: str
    """Without a codec."""
    outcome_flag: int
    """The flag of the envelope that holds the trailers; 0 if they are HTTP's."""
    mark: tuple[str, str]
    """A header of its own."""
    text: bool = False
    """Whether base64 wraps both bodies."""


def _head(path: str, content_type: str, offer: Offer, options: CallOptions) -> Request:
    headers = Metadata({"content-type": content_type})
    if options.timeout is not None:
        headers.add("grpc-timeout", status.encode_timeout(options.timeout))
    if offer.names:
        headers.add("grpc-accept-encoding", offer.names)
    if options.compress is not None:
        headers.add("grpc-encoding", options.compress.name)
    headers.extend(outgoing(Metadata(options.metadata)))
    return Request("POST", path, headers)


class GrpcCall:
    """Envelopes each way, in *dialect*."""

    def __init__(self, dialect: Dialect, offer: Offer, path: str, codec: str, options: CallOptions) -> None:
        self.request = _head(path, f"{dialect.content_type}+{codec}", offer, options)
        self.request.headers.add(*dialect.mark)
        self.error: ConnectError | None = None
        self.response_headers = Metadata()
        self.response_trailers = Metadata()
        self._dialect = dialect
        self._offer = offer
        self._codec = codec
        self._trailers: Metadata | None = None
        self._has_body = False
        self._decoder = Decoder() if dialect.text else None
        self._frames = Framing(offer.limits)
        self._frames.compress = options.compress

    def send(self, message: bytes) -> bytes:
        data = self._frames.write(message)
        return base64.b64encode(data) if self._dialect.text else data

    def receive(self, event: Event) -> Iterator[bytes]:
        return believed(self, self._take(event))

    def _take(self, event: Event) -> Iterator[bytes]:
        match event:
            case Response(code, headers):
                self._begin(code, Metadata(headers))
            case Data(data):
                self._has_body = self._has_body or bool(data)
                yield from self._messages(data if self._decoder is None else self._decoder.feed(data))
            case End(trailers):
                yield from self._messages(b"" if self._decoder is None else self._decoder.close())
                self._frames.close()
                self._end(trailers or ())

    def _begin(self, code: int, headers: Metadata) -> None:
        self.response_headers = headers
        check_status(code)
        kind = self._dialect.content_type
        expected = (f"{kind}+{self._codec}", *((kind,) if self._codec == "proto" else ()))
        check_content_type(headers.get("content-type", ""), expected, kind)
        self._frames.decompress = compression_of(self._offer, headers.get("grpc-encoding", ""))

    def _messages(self, data: bytes) -> Iterator[bytes]:
        for frame in self._frames.read(data):
            if self._trailers is not None:
                raise ConnectError(Code.INTERNAL, "protocol error: data after the trailers")
            if not frame.flags:
                yield frame.data
            elif frame.flags == self._dialect.outcome_flag:
                self._trailers = _read_block(frame.data)
            else:
                raise invalid_flags(frame.flags)

    def _end(self, trailers: Headers) -> None:
        if trailers and not self._dialect.outcome_flag:
            self._trailers = Metadata(trailers)
        if self._trailers is None:
            # A status in a head that something follows is none (gRPC, "Trailers-Only").
            self._trailers = Metadata() if self._has_body else self.response_headers
        self.response_trailers = status.without_outcome(self._trailers)
        self.error = status.read_outcome(self._trailers)


def _read_block(data: bytes) -> Metadata:
    """The trailers in the last frame of a gRPC-Web body; their names may be in any case.

    Raises:
        ConnectError: INTERNAL unless all of it is ``name: value`` lines, each ended by CRLF.
    """
    block = data.decode("latin-1")
    lines = block.removesuffix("\r\n").split("\r\n")
    trailers = Metadata()
    for line in lines:
        name, colon, value = line.partition(":")
        if not (name and colon) or "\n" in line:
            raise ConnectError(Code.INTERNAL, f"protocol error: invalid trailers {block!r}")
        trailers.add(name, value.strip())
    return trailers
