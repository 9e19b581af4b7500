"""gRPC and gRPC-Web: the same exchange, with the outcome in two places.

Sources: gRPC over HTTP/2 (PROTOCOL-HTTP2.md); gRPC-Web (PROTOCOL-WEB.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire import envelope, status
from dynconnect.wire.base import Call, CallOptions, Exchange, Offer, Protocol
from dynconnect.wire.base64_text import TextExchange
from dynconnect.wire.events import Data, End, Event, Headers, Request, Response
from dynconnect.wire.grpc_call import Dialect, GrpcCall
from dynconnect.wire.headers import outgoing
from dynconnect.wire.plain import Plain

TRAILERS = 0b1000_0000
"""Flag of gRPC-Web: the envelope holds the trailers."""

_GRPC = "application/grpc"
_WEB = "application/grpc-web"
_WEB_TEXT = "application/grpc-web-text"
_HTTP2 = Dialect(_GRPC, 0, ("te", "trailers"))
_BINARY = Dialect(_WEB, TRAILERS, ("x-grpc-web", "1"))
_TEXT = Dialect(_WEB_TEXT, TRAILERS, ("x-grpc-web", "1"), text=True)


class Grpc:
    """gRPC: HTTP/2 and later, the outcome in HTTP trailers."""

    name = "grpc"
    needs_trailers = True

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def content_types(self, codecs: Sequence[str], *, streaming: bool) -> Mapping[str, str]:  # noqa: ARG002
        """``application/grpc`` and ``application/grpc+proto``; the bare one means proto."""
        return _with_codecs(_GRPC, codecs)

    def open(self, request: Request, codec: str, *, streaming: bool) -> Exchange:  # noqa: ARG002
        """The exchange; it is the same for all shapes."""
        return GrpcExchange(self._offer, request, codec, f"{_GRPC}+{codec}", _in_trailers)

    def plain(self, codecs: Sequence[str]) -> Mapping[str, Plain]:
        """Its plain calls, by content type."""
        return _plain(self, self._offer, _GRPC, codecs, lambda _headers: True)

    def call(self, path: str, codec: str, options: CallOptions, *, streaming: bool) -> Call:  # noqa: ARG002
        """The call; it is the same for all shapes."""
        return GrpcCall(_HTTP2, self._offer, path, codec, options)


class GrpcWeb:
    """gRPC-Web: any HTTP version, the outcome in the last frame of the body.

    Args:
        offer: see `Offer`.
        text: whether its calls wrap their bodies in base64; as a server it follows each client.
    """

    name = "grpcweb"
    needs_trailers = False

    def __init__(self, offer: Offer, *, text: bool = False) -> None:
        self._offer = offer
        self._dialect = _TEXT if text else _BINARY

    def content_types(self, codecs: Sequence[str], *, streaming: bool) -> Mapping[str, str]:  # noqa: ARG002
        """``application/grpc-web`` and ``application/grpc-web-text``, bare or with a codec."""
        return {**_with_codecs(_WEB, codecs), **_with_codecs(_WEB_TEXT, codecs)}

    def open(self, request: Request, codec: str, *, streaming: bool) -> Exchange:  # noqa: ARG002
        """The exchange, in base64 where the client sends or asks for that."""
        text_in = request.headers.get("content-type", "").strip().lower().startswith(_WEB_TEXT)
        text_out = text_in or _WEB_TEXT in request.headers.get("accept", "").lower()
        kind = f"{_WEB_TEXT if text_out else _WEB}+{codec}"
        exchange = GrpcExchange(self._offer, request, codec, kind, _in_body)
        return TextExchange(exchange, text_in=text_in) if text_out else exchange

    def plain(self, codecs: Sequence[str]) -> Mapping[str, Plain]:
        """Its plain calls, by content type: none in base64."""
        text = _WEB_TEXT.encode()
        return _plain(
            self, self._offer, _WEB, codecs, lambda headers: text not in headers.get(b"accept", b"").lower()
        )

    def call(self, path: str, codec: str, options: CallOptions, *, streaming: bool) -> Call:  # noqa: ARG002
        """The call; it is the same for all shapes."""
        return GrpcCall(self._dialect, self._offer, path, codec, options)


def _with_codecs(kind: str, codecs: Sequence[str]) -> dict[str, str]:
    return {kind: "proto", **{f"{kind}+{codec}": codec for codec in codecs}}


def _plain(
    protocol: Protocol,
    offer: Offer,
    kind: str,
    codecs: Sequence[str],
    also: Callable[[Mapping[bytes, bytes]], bool],
) -> Mapping[str, Plain]:
    """The plain calls of *protocol*, if *also* their headers are."""

    def is_plain(headers: Mapping[bytes, bytes]) -> bool:
        return headers.get(b"grpc-encoding", b"identity") == b"identity" and also(headers)

    return {
        content_type: Plain(
            protocol.name,
            codec,
            offer,
            framed=True,
            needs_trailers=protocol.needs_trailers,
            is_plain=is_plain,
            timeout=b"grpc-timeout",
            read_timeout=status.parse_timeout,
            accepts=b"grpc-accept-encoding",
            open=partial(protocol.open, codec=codec, streaming=False),
        )
        for content_type, codec in _with_codecs(kind, codecs).items()
    }


def _in_trailers(trailers: Headers) -> tuple[Event, ...]:
    return (End(trailers),)


def _in_body(trailers: Headers) -> tuple[Event, ...]:
    """gRPC-Web, "Trailers": a frame of ``name: value`` lines, never compressed."""
    block = "".join(f"{name}: {value}\r\n" for name, value in _joined(trailers))
    return Data(envelope.encode(TRAILERS, block.encode("latin-1"))), End()


def _joined(trailers: Headers) -> Headers:
    """*trailers* with one line a name where that loses nothing.

    The stock JavaScript client keeps only the last line of a name; a comma in a value would make a
    joined line ambiguous, so such values stay on their own.
    """
    values: dict[str, list[str]] = {}
    for name, value in trailers:
        values.setdefault(name, []).append(value)
    lines: list[tuple[str, str]] = []
    for name, found in values.items():
        together = not any("," in value for value in found)
        lines += [(name, value) for value in ([", ".join(found)] if together else found)]
    return tuple(lines)


class GrpcExchange:
    """Envelopes each way. *write_outcome* says where the trailers go."""

    def __init__(
        self,
        offer: Offer,
        request: Request,
        codec: str,
        content_type: str,
        write_outcome: Callable[[Headers], tuple[Event, ...]],
    ) -> None:
        self.codec = codec
        self.timeout: float | None = None
        self.response_headers = Metadata()
        self.response_trailers = Metadata()
        self._offer = offer
        self._request = request
        self._content_type = content_type
        self._write_outcome = write_outcome
        self._frames = envelope.Framing(offer.limits)
        self._head_sent = False

    def start(self) -> None:
        headers = self._request.headers.firsts
        self.timeout = status.parse_timeout(headers.get("grpc-timeout", ""))
        self._frames.decompress, self._frames.compress = self._offer.agree(
            headers.get("grpc-encoding", ""), headers.get("grpc-accept-encoding")
        )

    def receive(self, data: bytes) -> Iterable[bytes]:
        return self._frames.messages(data)

    def receive_end(self) -> Iterable[bytes]:
        self._frames.close()
        return ()

    def head(self) -> Sequence[Event]:
        if self._head_sent:
            return ()
        headers: Headers = (("content-type", self._content_type),)
        if self._offer.names:
            headers += (("grpc-accept-encoding", self._offer.names),)
        if self._frames.compress is not None:
            headers += (("grpc-encoding", self._frames.compress.name),)
        headers += outgoing(self.response_headers)
        self._head_sent = True
        return (Response(200, headers),)

    def send(self, message: bytes) -> Sequence[Event]:
        data = self._frames.write(message)
        return (*self.head(), Data(data))

    def end(self, error: ConnectError | None) -> Sequence[Event]:
        # Always a head, and never gRPC's lone "Trailers-Only" frame: an ASGI server may send that
        # as two frames, and clients then miss the status.
        trailers = status.outcome(error) + outgoing(self.response_trailers)
        if error is not None:
            trailers += outgoing(error.metadata)
        return (*self.head(), *self._write_outcome(trailers))
