"""How a request picks its protocol: by content type, or as a GET by its query.

Everything is decided once: what is left for a call is one look-up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dynconnect.wire.base import Exchange, Offer, Protocol
from dynconnect.wire.connect import Connect
from dynconnect.wire.connect_unary import read_query
from dynconnect.wire.events import Request
from dynconnect.wire.grpc import Grpc, GrpcWeb
from dynconnect.wire.plain import Plain

_JSON_CHARSETS = frozenset({"charset=utf-8", 'charset="utf-8"'})


class Choice(NamedTuple):
    """A protocol, and the codec that the request named."""

    protocol: Protocol
    codec: str

    def open(self, request: Request, *, streaming: bool) -> Exchange:
        """The server's side of the call that *request* begins."""
        return self.protocol.open(request, self.codec, streaming=streaming)


class Chooser:
    """Finds the protocol of a request.

    Args:
        offer: what every protocol offers.
        codecs: the names of the codecs on offer, the ones that content types may end in.
    """

    def __init__(self, offer: Offer, codecs: Sequence[str]) -> None:
        self._connect = Connect(offer)
        self._codecs = frozenset(codecs)
        grpc, web = Grpc(offer), GrpcWeb(offer)
        protocols: tuple[Protocol, ...] = (self._connect, grpc, web)
        plain = {**self._connect.plain(codecs), **grpc.plain(codecs), **web.plain(codecs)}
        self._plain = {kind.encode(): each for kind, each in plain.items()}
        self._by_type = {
            streaming: {
                kind: Choice(protocol, codec)
                for protocol in protocols
                for kind, codec in protocol.content_types(codecs, streaming=streaming).items()
            }
            for streaming in (False, True)
        }

    def post(self, content_type: str, *, streaming: bool) -> Choice | None:
        """The protocol of a POST with *content_type*; None if no protocol takes it for such a method."""
        table = self._by_type[streaming]
        return table.get(content_type) or table.get(_normal(content_type))

    @property
    def plain(self) -> Mapping[bytes, Plain]:
        """Plain calls, by content type."""
        return self._plain

    def get(self, query: str) -> Choice | None:
        """The protocol of a GET with *query*: Connect, if it names a codec that we know."""
        codec = read_query(query).get("encoding", b"").decode("latin-1")
        return Choice(self._connect, codec) if codec in self._codecs else None

    def without_method(self, content_type: str) -> Choice | None:
        """The protocol that can say that its method does not exist: gRPC, or gRPC-Web."""
        found = self.post(content_type, streaming=True)
        return None if found is None or found.protocol is self._connect else found

    def accepted(self, *, streaming: bool) -> str:
        """Every content type of a POST, for ``Accept-Post``."""
        return ", ".join(self._by_type[streaming])


def _normal(content_type: str) -> str:
    """*content_type* in lower case and without the one parameter that changes nothing."""
    kind, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if kind.endswith("json") and _JSON_CHARSETS.issuperset(parameters):
        return kind
    return "; ".join((kind, *parameters))
