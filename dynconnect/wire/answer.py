"""What every client asks of an answer before it believes it, whatever the protocol.

The codes are those of the reference clients: UNKNOWN for what no RPC server would say, INTERNAL for
an RPC server that breaks the rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.base import Call, Offer
from dynconnect.wire.compression import IDENTITY, Compression


def believed(call: Call, messages: Iterator[bytes]) -> Iterator[bytes]:
    """*messages*, up to the first fault in the answer: that becomes the error of *call*."""
    if call.error is not None:
        return
    try:
        yield from messages
    except ConnectError as exc:
        # What would be the caller's fault in a request is the server's in an answer.
        broken = exc.code is Code.INVALID_ARGUMENT
        call.error = ConnectError(Code.INTERNAL, exc.message) if broken else exc


def check_status(status: int) -> None:
    """Raise the code that Connect and gRPC give to an HTTP *status*, unless it is 200."""
    if status != 200:
        raise ConnectError(Code.from_http_status(status), f"HTTP status {status}")


def check_content_type(found: str, expected: Collection[str], family: str) -> None:
    """Raise unless *found* is one of *expected*: INTERNAL for others that begin with *family*."""
    kind = found.partition(";")[0].strip().lower()
    if kind not in expected:
        code = Code.INTERNAL if kind.startswith(family) else Code.UNKNOWN
        wanted = " or ".join(expected)
        raise ConnectError(code, f"protocol error: invalid content-type {found!r}, expected {wanted}")


def compression_of(offer: Offer, name: str) -> Compression | None:
    """The compression that an answer calls *name*; None for identity.

    Raises:
        ConnectError: INTERNAL if *offer*, and so the request, did not name it.
    """
    if name in ("", IDENTITY):
        return None
    if name not in offer.compressions:
        text = f"protocol error: unknown encoding {name!r}, accepted are {offer.names}"
        raise ConnectError(Code.INTERNAL, text)
    return offer.compressions[name]
