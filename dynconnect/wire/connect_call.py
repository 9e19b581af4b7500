"""Connect as its client sees it: unary calls by POST or GET, and streams.

Source: Connect protocol reference, version 1.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import urlencode

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.answer import believed, check_content_type, check_status, compression_of
from dynconnect.wire.bare import Bare
from dynconnect.wire.base import CallOptions, Offer
from dynconnect.wire.connect_common import ERROR_TYPE, STREAM, UNARY, encode_timeout, read_error
from dynconnect.wire.connect_stream import END_STREAM
from dynconnect.wire.envelope import Envelope, Framing, invalid_flags
from dynconnect.wire.events import Data, End, Event, Headers, Request, Response
from dynconnect.wire.headers import outgoing

_MAX_QUERY_BYTES = 8000
"""A longer query goes as a POST: servers and proxies commonly refuse request lines beyond 8 KiB."""
_TRAILER = "trailer-"


def _head(path: str, content_type: str, options: CallOptions) -> Request:
    """The head of a call, without its encodings."""
    headers = Metadata({"content-type": content_type, "connect-protocol-version": "1"})
    if options.timeout is not None:
        headers.add("connect-timeout-ms", encode_timeout(options.timeout))
    headers.extend(outgoing(Metadata(options.metadata)))
    return Request("POST", path, headers)


class UnaryCall:
    """One message each way. What the request is, is known once its message is."""

    def __init__(self, offer: Offer, path: str, codec: str, options: CallOptions) -> None:
        self.request = _head(path, UNARY + codec, options)
        self.error: ConnectError | None = None
        self.response_headers = Metadata()
        self.response_trailers = Metadata()
        self._offer = offer
        self._codec = codec
        self._get = options.no_side_effects
        self._status = 0
        self._body = Bare(offer.limits)
        self._body.compress = options.compress
        if offer.names:
            self.request.headers.add("accept-encoding", offer.names)

    def send(self, message: bytes) -> bytes:
        data, encoding = self._body.write(message)
        query = self._query(data, encoding) if self._get else ""
        if query and len(query) <= _MAX_QUERY_BYTES:
            headers = self.request.headers
            del headers["content-type"], headers["connect-protocol-version"]
            self.request = self.request._replace(method="GET", query=query)
            return b""
        if encoding:
            self.request.headers.add("content-encoding", encoding)
        return data

    def _query(self, data: bytes, encoding: str) -> str:
        """Connect, "Unary-Get-Request"; always in the same order, so that caches know it again."""
        text = base64.urlsafe_b64encode(data).decode().rstrip("=")
        query = {"connect": "v1", "encoding": self._codec, "base64": "1", "message": text}
        return urlencode({**query, "compression": encoding} if encoding else query)

    def receive(self, event: Event) -> Iterator[bytes]:
        return believed(self, self._take(event))

    def _take(self, event: Event) -> Iterator[bytes]:
        match event:
            case Response(status, headers):
                self._begin(status, headers)
            case Data(data):
                self._body.feed(data)
            case End():
                body = self._body.read()
                if self._status == 200:
                    yield body
                else:
                    self.error = read_error(_json(body), Code.from_http_status(self._status))

    def _begin(self, status: int, headers: Headers) -> None:
        self._status = status
        self.response_headers = Metadata(pair for pair in headers if not pair[0].startswith(_TRAILER))
        self.response_trailers = Metadata(
            (name.removeprefix(_TRAILER), value) for name, value in headers if name.startswith(_TRAILER)
        )
        kind = self.response_headers.get("content-type", "")
        if status == 200:
            check_content_type(kind, (UNARY + self._codec,), UNARY)
        elif kind.partition(";")[0].strip().lower() != ERROR_TYPE:
            check_status(status)
        encoding = self.response_headers.get("content-encoding", "")
        self._body.decompress = compression_of(self._offer, encoding)


class StreamCall:
    """Envelopes each way; the last one of the answer holds the outcome."""

    def __init__(self, offer: Offer, path: str, codec: str, options: CallOptions) -> None:
        self.request = _head(path, STREAM + codec, options)
        self.error: ConnectError | None = None
        self.response_headers = Metadata()
        self.response_trailers = Metadata()
        self._offer = offer
        self._codec = codec
        self._ended = False
        self._frames = Framing(offer.limits)
        self._frames.compress = options.compress
        if offer.names:
            self.request.headers.add("connect-accept-encoding", offer.names)
        if options.compress is not None:
            self.request.headers.add("connect-content-encoding", options.compress.name)

    def send(self, message: bytes) -> bytes:
        return self._frames.write(message)

    def receive(self, event: Event) -> Iterator[bytes]:
        return believed(self, self._take(event))

    def _take(self, event: Event) -> Iterator[bytes]:
        match event:
            case Response(status, headers):
                self._begin(status, Metadata(headers))
            case Data(data):
                for frame in self._frames.read(data):
                    if not self._is_outcome(frame):
                        yield frame.data
            case End():
                self._frames.close()
                if not self._ended:
                    raise ConnectError(Code.INTERNAL, "protocol error: the answer has no end-stream message")

    def _begin(self, status: int, headers: Metadata) -> None:
        self.response_headers = headers
        check_status(status)
        check_content_type(headers.get("content-type", ""), (STREAM + self._codec,), STREAM)
        encoding = headers.get("connect-content-encoding", "")
        self._frames.decompress = compression_of(self._offer, encoding)

    def _is_outcome(self, frame: Envelope) -> bool:
        if self._ended:
            raise ConnectError(Code.INTERNAL, "protocol error: data after the end-stream message")
        if frame.flags not in (0, END_STREAM):
            raise invalid_flags(frame.flags)
        self._ended = frame.flags == END_STREAM
        if self._ended:
            self._read_outcome(_json(frame.data))
        return self._ended

    def _read_outcome(self, outcome: object) -> None:
        """Take what Connect calls EndStreamResponse; unknown members are for later versions."""
        match outcome:
            case dict():
                self.response_trailers = Metadata(_pairs(outcome.get("metadata")))
                if outcome.get("error") is not None:
                    self.error = read_error(outcome["error"], Code.UNKNOWN)
            case _:
                raise ConnectError(Code.INTERNAL, "protocol error: the end-stream message is no JSON object")


def _pairs(metadata: object) -> Iterator[tuple[str, str]]:
    """The pairs of the end-stream message's ``metadata``; what is no list of strings is left out."""
    for name, values in metadata.items() if isinstance(metadata, dict) else ():
        for value in values if isinstance(values, list) else ():
            if isinstance(value, str):
                yield name, value


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
