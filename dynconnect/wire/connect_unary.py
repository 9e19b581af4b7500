"""Connect's unary calls: the bare message in a body, or in the query of a GET.

Source: Connect protocol reference, version 1, "Unary RPCs" and "Unary-Get-Request".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from urllib.parse import unquote_to_bytes

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.bare import Bare
from dynconnect.wire.base import Offer
from dynconnect.wire.connect_common import (
    ERROR_TYPE,
    UNARY,
    check_version,
    error_json,
    parse_timeout,
    to_json,
)
from dynconnect.wire.events import Data, End, Event, Headers, Request, Response
from dynconnect.wire.headers import outgoing


class UnaryExchange:
    """One message each way. The head waits for the outcome, which it states."""

    def __init__(self, offer: Offer, request: Request, codec: str) -> None:
        self.codec = codec
        self.timeout: float | None = None
        self.response_headers = Metadata()
        self.response_trailers = Metadata()
        self._offer = offer
        self._request = request
        self._body = Bare(offer.limits)
        self._answer: tuple[bytes, str] = b"", ""

    def start(self) -> None:
        headers = self._request.headers.firsts
        self._check_version()
        self.timeout = parse_timeout(headers.get("connect-timeout-ms", ""))
        self._body.decompress, self._body.compress = self._offer.agree(
            self._sent_encoding(), headers.get("accept-encoding")
        )

    def _check_version(self) -> None:
        name = "connect-protocol-version"
        value = self._request.headers.firsts.get(name, "")
        check_version(name, value, "1", required=self._offer.require_version)

    def _sent_encoding(self) -> str:
        return self._request.headers.firsts.get("content-encoding", "")

    def receive(self, data: bytes) -> Iterable[bytes]:
        self._body.feed(data)
        return ()

    def receive_end(self) -> Iterable[bytes]:
        return (self._body.read(),)

    def head(self) -> Sequence[Event]:
        return ()

    def send(self, message: bytes) -> Sequence[Event]:
        self._answer = self._body.write(message)
        return ()

    def end(self, error: ConnectError | None) -> Sequence[Event]:
        metadata = self._metadata(error)
        if error is not None:
            data = to_json(error_json(error))
            return self._reply(error.code.http_status, (("content-type", ERROR_TYPE),), metadata, data)
        data, encoding = self._answer
        headers: Headers = (("content-type", UNARY + self.codec),)
        if encoding:
            headers += (("content-encoding", encoding),)
        return self._reply(200, headers, metadata, data)

    def _metadata(self, error: ConnectError | None) -> Headers:
        if error is None and not (self.response_headers.pairs or self.response_trailers.pairs):
            return ()
        headers = outgoing(self.response_headers, reserved_prefix="trailer-")
        trailers = outgoing(self.response_trailers)
        if error is not None:
            headers += outgoing(error.metadata, reserved_prefix="trailer-")
        return headers + tuple((f"trailer-{name}", value) for name, value in trailers)

    def _reply(self, status: int, headers: Headers, metadata: Headers, data: bytes) -> Sequence[Event]:
        length = ("content-length", str(len(data)))
        accept = (("accept-encoding", self._offer.names),) if self._offer.names else ()
        return Response(status, (*headers, length, *accept, *metadata)), Data(data), End()


class GetExchange(UnaryExchange):
    """A unary call whose message stands in the query, so that caches may answer it."""

    def __init__(self, offer: Offer, request: Request, codec: str) -> None:
        super().__init__(offer, request, codec)
        self._query = read_query(request.query)
        self._has_body = False

    def _check_version(self) -> None:
        value = self._query.get("connect", b"").decode("latin-1")
        check_version("the query parameter connect", value, "v1", required=self._offer.require_version)

    def _sent_encoding(self) -> str:
        return self._query.get("compression", b"").decode("latin-1")

    def receive(self, data: bytes) -> Iterable[bytes]:
        # Connect, "Unary-Get-Request": there is no body. The answer is HTTP's, not an RPC's.
        self._has_body = self._has_body or bool(data)
        if self._has_body:
            raise ConnectError(Code.INVALID_ARGUMENT, "a GET must not have a body")
        return ()

    def receive_end(self) -> Iterable[bytes]:
        return (self._body.unpack(self._message()),)

    def _message(self) -> bytes:
        message = self._query.get("message")
        if message is None:
            raise ConnectError(Code.INVALID_ARGUMENT, "the query parameter message is missing")
        if self._query.get("base64") != b"1":
            return message
        try:
            # Strictly, so that damage is found; both alphabets, since "+" may have been meant.
            text = message.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
            return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
        except binascii.Error as exc:
            raise ConnectError(
                Code.INVALID_ARGUMENT, f"the query parameter message is not base64: {exc}"
            ) from exc

    def end(self, error: ConnectError | None) -> Sequence[Event]:
        if self._has_body:
            return Response(415, (("content-length", "0"),)), End()
        return super().end(error)

    def _reply(self, status: int, headers: Headers, metadata: Headers, data: bytes) -> Sequence[Event]:
        metadata += (("vary", "accept-encoding"),)
        if status == 200 and self._is_fresh():
            return Response(304, metadata), End()
        return super()._reply(status, headers, metadata, data)

    def _is_fresh(self) -> bool:
        """Whether the client has this answer already (RFC 9110, 13.1.2)."""
        etag = self.response_headers.get("etag")
        held = self._request.headers.getall("if-none-match")
        tags = {tag.strip().removeprefix("W/") for line in held for tag in line.split(",")}
        return etag is not None and bool(tags & {etag.removeprefix("W/"), "*"})


def read_query(query: str) -> dict[str, bytes]:
    """The parameters of *query*; the first of a repeated one counts, ``+`` is a blank."""
    found: dict[str, bytes] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        plain = unquote_to_bytes(value.replace("+", " "))
        found.setdefault(unquote_to_bytes(name.replace("+", " ")).decode("latin-1"), plain)
    return found
