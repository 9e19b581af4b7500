"""How gRPC writes a timeout in headers and an outcome in trailers.

Source: gRPC over HTTP/2, "Requests" (Timeout) and "Responses" (Status, Status-Message).
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.events import Headers

_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_MAX_TIMEOUT_DIGITS = 8
_MAX_TIMEOUT = 10**_MAX_TIMEOUT_DIGITS - 1
_MAX_STATUS_DIGITS = 9
_PLAIN = frozenset(range(0x20, 0x7F)) - {ord("%")}
_TYPE_PREFIX = "type.googleapis.com/"
_OUTCOME = frozenset({"grpc-status", "grpc-message", "grpc-status-details-bin"})
_OK: Headers = (("grpc-status", "0"),)


def parse_timeout(value: str) -> float | None:
    """Seconds in a ``grpc-timeout`` value; None if there is none.

    Raises:
        ConnectError: INVALID_ARGUMENT unless it is one to eight digits and a unit.
    """
    if not value:
        return None
    digits, unit = value[:-1], value[-1]
    known = digits.isascii() and digits.isdecimal() and unit in _UNITS
    if not (known and len(digits) <= _MAX_TIMEOUT_DIGITS):
        raise ConnectError(Code.INVALID_ARGUMENT, f"protocol error: invalid grpc-timeout {value!r}")
    return int(digits) * _UNITS[unit]


def encode_timeout(seconds: float) -> str:
    """*seconds* as a ``grpc-timeout``, in the finest unit that fits eight digits."""
    for unit in ("n", "u", "m", "S", "M"):
        count = max(0.0, seconds) / _UNITS[unit]
        if count <= _MAX_TIMEOUT:
            return f"{int(count)}{unit}"
    return f"{int(min(seconds / _UNITS['H'], _MAX_TIMEOUT))}H"


def percent_encode(message: str) -> str:
    """*message* in the ASCII that ``grpc-message`` allows."""
    data = message.encode("utf-8", "replace")
    if _PLAIN.issuperset(data):
        return data.decode()
    # Not urllib's quote: the specification leaves everything printable but "%" as it is.
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in data)


def percent_decode(value: str) -> str:
    """Undo `percent_encode`, leniently: what is not UTF-8 becomes U+FFFD."""
    return unquote(value, errors="replace")


def outcome(error: ConnectError | None) -> Headers:
    """The trailers that say how a call ended; the details of *error* are packed already."""
    if error is None:
        return _OK
    trailers: Headers = (("grpc-status", str(error.code.number)),)
    if error.message:
        trailers += (("grpc-message", percent_encode(error.message)),)
    if error.packed:
        trailers += (("grpc-status-details-bin", _details(error)),)
    return trailers


def _details(error: ConnectError) -> str:
    # Here and not above: the descriptors of google.rpc cost a start more than most calls need.
    from google.protobuf.any_pb2 import Any
    from google.rpc.status_pb2 import Status

    status = Status(code=error.code.number, message=error.message.encode("utf-8", "replace").decode())
    for detail in error.packed:
        status.details.append(Any(type_url=_TYPE_PREFIX + detail.type, value=detail.value))
    return base64.b64encode(status.SerializeToString()).decode().rstrip("=")


def read_outcome(trailers: Metadata) -> ConnectError | None:
    """Undo `outcome`. No status at all is an error of the peer's, hence INTERNAL."""
    value = trailers.get("grpc-status", "")
    if value == "0":
        return None
    if not value:
        return ConnectError(Code.INTERNAL, "protocol error: the answer has no grpc-status")
    known = value.isascii() and value.isdecimal() and len(value) <= _MAX_STATUS_DIGITS
    code = Code.from_number(int(value)) if known else Code.UNKNOWN
    message = percent_decode(trailers.get("grpc-message", ""))
    return ConnectError(code, message, _read_details(trailers))


def without_outcome(trailers: Metadata) -> Metadata:
    """The trailing metadata among *trailers*: what `outcome` did not put there."""
    return Metadata(pair for pair in trailers.allitems() if pair[0] not in _OUTCOME)


def _read_details(trailers: Metadata) -> list[ErrorDetail]:
    from google.protobuf.message import DecodeError
    from google.rpc.status_pb2 import Status

    try:
        found = [Status.FromString(data) for data in trailers.get_binary("grpc-status-details-bin")]
    except (ValueError, binascii.Error, DecodeError):
        return []
    return [
        ErrorDetail(detail.type_url.rpartition("/")[2], detail.value)
        for status in found
        for detail in status.details
    ]
