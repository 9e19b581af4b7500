"""Both ends of a protocol without a network: what the tests of its cores share."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

from dynconnect.rpc.limits import Limits
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.base import Exchange, Offer
from dynconnect.wire.compression import Compression, available
from dynconnect.wire.events import Data, End, Event, Request, Response

CODECS = ("proto", "json")
PATH = "/shop.v1.Orders/Get"


def offer(
    *, compressions: Mapping[str, Compression] | None = None, require_version: bool = False, **limits: int
) -> Offer:
    """An offer of every compression, or of *compressions*, with these *limits*."""
    known = available() if compressions is None else compressions
    return Offer(Limits(**limits), known, require_version)


def post(content_type: str, headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> Request:
    """The head of a POST."""
    metadata = Metadata({"content-type": content_type})
    metadata.extend(headers)
    return Request("POST", PATH, metadata)


def pieces(data: bytes, step: int) -> Iterator[bytes]:
    """*data* in chunks of *step* bytes."""
    return (data[at : at + step] for at in range(0, len(data), step))


def envelope(data: bytes, flags: int = 0) -> bytes:
    """One frame, written out here so that the package does not test itself."""
    return struct.pack(">BI", flags, len(data)) + data


def envelopes(data: bytes) -> list[tuple[int, bytes]]:
    """The frames of *data*, which must be whole: pairs of flags and data."""
    found = []
    while data:
        flags, size = struct.unpack_from(">BI", data)
        assert len(data) >= 5 + size, "a frame is cut short"
        found.append((flags, data[5 : 5 + size]))
        data = data[5 + size :]
    return found


def read(exchange: Exchange, body: bytes, step: int = 4096) -> list[bytes]:
    """The messages that *exchange* finds in a whole *body*."""
    found = [message for chunk in pieces(body, step) for message in exchange.receive(chunk)]
    return [*found, *exchange.receive_end()]


def head_of(events: Iterable[Event]) -> tuple[int, Metadata]:
    """The status and headers of an answer, which must have one head."""
    (response,) = [event for event in events if isinstance(event, Response)]
    return response.status, Metadata(response.headers)


def body_of(events: Iterable[Event]) -> bytes:
    """The whole body of an answer."""
    return b"".join(event.data for event in events if isinstance(event, Data))


def trailers_of(events: Iterable[Event]) -> Metadata:
    """The HTTP trailers of an answer, which must end once and with them."""
    *before, end = events
    assert not any(isinstance(event, End) for event in before)
    assert isinstance(end, End), "the answer goes on"
    assert end.trailers is not None, "the answer has no trailers"
    return Metadata(end.trailers)
