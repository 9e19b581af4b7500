"""Both ends of a protocol without a network: what the tests of its cores share."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

import pytest

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.base import Call, Exchange, Offer
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


def refused(exchange: Exchange) -> ConnectError:
    """Why *exchange* does not start."""
    with pytest.raises(ConnectError) as caught:
        exchange.start()
    return caught.value


def answer(
    exchange: Exchange, message: bytes = b"", error: ConnectError | None = None
) -> tuple[int, Metadata, bytes]:
    """The status, headers and body of a unary answer, which must be one head, one body and an end."""
    sent = [*exchange.send(message)] if error is None else []
    response, data, end = [*sent, *exchange.end(error)]
    assert isinstance(response, Response)
    assert isinstance(data, Data)
    assert end == End()
    return response.status, Metadata(response.headers), data.data


def frames(*pairs: tuple[int, bytes]) -> bytes:
    """A body of several frames: pairs of flags and data."""
    return b"".join(envelope(data, flags) for flags, data in pairs)


def feed(call: Call, *events: Event) -> list[bytes]:
    """The messages that *call* finds in *events*."""
    return [message for event in events for message in call.receive(event)]


def failed(call: Call) -> tuple[Code, str]:
    """The code and the message of the error of *call*, which must have one."""
    assert call.error is not None, "the answer was believed"
    return call.error.code, call.error.message
