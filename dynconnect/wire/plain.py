"""Unary calls with nothing unusual about them, as most are: what can be decided for them once.

A `Plain` does in one go what an `Exchange` does for every call there may be: one whole message that is not
packed, and an answer of one such message without metadata. Of anything else it says that it is not plain,
and an exchange has to see to it; so it knows of no errors. Its heads it learns from an exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.base import Exchange, Offer
from dynconnect.wire.envelope import PREFIX_BYTES, encode
from dynconnect.wire.events import Data, End, Headers, Request, Response

Raw: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Headers as they stand on the wire."""

_HEADS_MAX = 64
"""The same few headers come with every call; the bound is for clients that make up new ones."""
_LENGTH = "content-length"


class Asked(NamedTuple):
    """A plain request: its message, and the seconds that its caller is prepared to wait."""

    message: bytes
    timeout: float | None


class Told(NamedTuple):
    """The answer to it. *trailers* is None where they are not HTTP's."""

    head: Raw
    body: bytes
    trailers: Raw | None


class _Head(NamedTuple):
    """What the answers to requests that accept the same have in common.

    Attributes:
        headers: without the length.
        packs: whether messages that are worth it are to be packed.
        end: of the body.
    """

    headers: Raw
    packs: bool
    end: bytes
    trailers: Raw | None


@dataclass(frozen=True, slots=True)
class Plain:
    """Plain calls of one protocol, with one codec.

    Attributes:
        protocol: its name.
        codec: its name.
        offer: see `Offer`.
        framed: whether messages stand in envelopes.
        needs_trailers: whether it works only where HTTP trailers do.
        is_plain: whether a request with these headers may be plain.
        timeout: the header that `read_timeout` reads.
        accepts: the header that lists the encodings which its client reads.
        open: the exchange of a request.
    """

    protocol: str
    codec: str
    offer: Offer
    framed: bool
    needs_trailers: bool
    is_plain: Callable[[Mapping[bytes, bytes]], bool]
    timeout: bytes
    read_timeout: Callable[[str], float | None]
    accepts: bytes
    open: Callable[[Request], Exchange]
    _heads: dict[bytes | None, _Head] = field(default_factory=dict)

    def ask(self, headers: Mapping[bytes, bytes], body: bytes) -> Asked | None:
        """The request of *headers*, with no name twice, and the whole *body*; None if it is not plain."""
        size = len(body)
        if self.framed:
            size -= PREFIX_BYTES
            if size < 0 or body[0] or int.from_bytes(body[1:PREFIX_BYTES], "big") != size:
                return None
            body = body[PREFIX_BYTES:]
        if size > self.offer.limits.read_max_bytes or not self.is_plain(headers):
            return None
        sent = headers.get(self.timeout)
        if sent is None:
            return Asked(body, None)
        try:
            return Asked(body, self.read_timeout(sent.decode("latin-1")))
        except ConnectError:
            return None

    def tell(self, headers: Mapping[bytes, bytes], message: bytes) -> Told | None:
        """The answer *message* to a plain request with *headers*; None if it is not plain."""
        accepted = headers.get(self.accepts)
        head = self._heads.get(accepted) or self._learn(headers, accepted)
        size, limits = len(message), self.offer.limits
        if head.packs and size >= limits.compress_min_bytes:
            return None
        if limits.send_max_bytes is not None and size > limits.send_max_bytes:
            return None
        if self.framed:
            return Told(head.headers, encode(0, message) + head.end, head.trailers)
        return Told((*head.headers, (b"content-length", b"%d" % size)), message, head.trailers)

    def _learn(self, headers: Mapping[bytes, bytes], accepted: bytes | None) -> _Head:
        """What an exchange answers to a request with *headers*, in which these encodings are *accepted*."""
        exchange = self.open(Request("POST", "/", Metadata.of_raw([*headers.items()])))
        exchange.start()
        response, _, *rest, end = *exchange.send(b""), *exchange.end(None)
        assert isinstance(response, Response)  # noqa: S101  the first event of every answer
        assert isinstance(end, End)  # noqa: S101  the last
        tail = b"".join(event.data for event in rest if isinstance(event, Data))
        names = None if accepted is None else accepted.decode("latin-1")
        packs = self.offer.agree("", names)[1] is not None
        trailers = None if end.trailers is None else _raw(end.trailers)
        head = _Head(_raw(response.headers), packs, tail, trailers)
        if len(self._heads) < _HEADS_MAX:
            self._heads[accepted] = head
        return head


def _raw(headers: Headers) -> Raw:
    return tuple(
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers if name != _LENGTH
    )
