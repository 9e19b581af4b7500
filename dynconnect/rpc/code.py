"""Why a call failed, in the spellings of each protocol.

Sources: Connect protocol, "Error Codes"; gRPC, "Status codes and their use in gRPC".
"""

from __future__ import annotations

from enum import Enum
from typing import Self


class Code(Enum):
    """The reason of a failure. Its value is Connect's spelling; success has no code."""

    CANCELED = ("canceled", 1, 499)
    UNKNOWN = ("unknown", 2, 500)
    INVALID_ARGUMENT = ("invalid_argument", 3, 400)
    DEADLINE_EXCEEDED = ("deadline_exceeded", 4, 504)
    NOT_FOUND = ("not_found", 5, 404)
    ALREADY_EXISTS = ("already_exists", 6, 409)
    PERMISSION_DENIED = ("permission_denied", 7, 403)
    RESOURCE_EXHAUSTED = ("resource_exhausted", 8, 429)
    FAILED_PRECONDITION = ("failed_precondition", 9, 400)
    ABORTED = ("aborted", 10, 409)
    OUT_OF_RANGE = ("out_of_range", 11, 400)
    UNIMPLEMENTED = ("unimplemented", 12, 501)
    INTERNAL = ("internal", 13, 500)
    UNAVAILABLE = ("unavailable", 14, 503)
    DATA_LOSS = ("data_loss", 15, 500)
    UNAUTHENTICATED = ("unauthenticated", 16, 401)

    number: int
    """The value of ``grpc-status``."""
    http_status: int
    """The HTTP status of a failed Connect unary call."""

    def __new__(cls, value: str, number: int, http_status: int) -> Self:
        """Make the member *value* with its two other spellings."""
        member = object.__new__(cls)
        member._value_ = value
        member.number = number
        member.http_status = http_status
        return member

    @classmethod
    def from_number(cls, number: int) -> Code:
        """The code of a ``grpc-status``; UNKNOWN if gRPC defines no such failure."""
        return _BY_NUMBER.get(number, cls.UNKNOWN)

    @classmethod
    def from_name(cls, name: str, otherwise: Code) -> Code:
        """The code that Connect spells *name*, or *otherwise*."""
        return _BY_NAME.get(name, otherwise)

    @classmethod
    def from_http_status(cls, status: int) -> Code:
        """What a client makes of an answer that is no RPC (Connect, "HTTP to Error Code").

        It is not the inverse of `http_status`: proxies answer too, and they mean other things.
        """
        return _BY_HTTP_STATUS.get(status, cls.UNKNOWN)


_BY_NUMBER = {code.number: code for code in Code}
_BY_NAME = {code.value: code for code in Code}
_BY_HTTP_STATUS = {
    400: Code.INTERNAL,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.UNAVAILABLE,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
}
