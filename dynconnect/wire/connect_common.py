"""What Connect's unary calls and its streams have in common: timeout, version, errors in JSON.

Source: Connect protocol reference, version 1.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail

UNARY = "application/"
STREAM = "application/connect+"
ERROR_TYPE = "application/json"
"""Of the errors of unary calls, whatever their codec."""

_MAX_TIMEOUT_DIGITS = 10
_MAX_TIMEOUT = 10**_MAX_TIMEOUT_DIGITS - 1


def parse_timeout(value: str) -> float | None:
    """Seconds in a ``connect-timeout-ms`` value (Connect, "Timeout"); None if there is none.

    Raises:
        ConnectError: INVALID_ARGUMENT unless it is one to ten digits.
    """
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= _MAX_TIMEOUT_DIGITS):
        raise ConnectError(Code.INVALID_ARGUMENT, f"protocol error: invalid connect-timeout-ms {value!r}")
    return int(value) / 1000


def encode_timeout(seconds: float) -> str:
    """*seconds* as a ``connect-timeout-ms``, at most the ten digits that it may have."""
    return str(int(min(max(0.0, seconds * 1000), _MAX_TIMEOUT)))


def check_version(where: str, value: str, known: str, *, required: bool) -> None:
    """Raise INVALID_ARGUMENT unless *value*, found in *where*, is the version that we speak."""
    if value == known or not (value or required):
        return
    problem = f"must be {known!r}, got {value!r}" if value else f"is missing: set it to {known!r}"
    raise ConnectError(Code.INVALID_ARGUMENT, f"protocol error: {where} {problem}")


def error_json(error: ConnectError) -> dict[str, object]:
    """*error* as Connect writes it (Connect, "Error"); its details are packed already."""
    result: dict[str, object] = {"code": error.code.value}
    if error.message:
        result["message"] = error.message
    if details := [_detail_json(detail) for detail in error.packed]:
        result["details"] = details
    return result


def _detail_json(detail: ErrorDetail) -> dict[str, object]:
    result: dict[str, object] = {
        "type": detail.type,
        "value": base64.b64encode(detail.value).decode().rstrip("="),
    }
    if detail.debug is not None:
        result["debug"] = detail.debug
    return result


def read_error(value: object, otherwise: Code) -> ConnectError:
    """Undo `error_json`; *otherwise* is the code of an error that names none we know."""
    if not isinstance(value, dict):
        return ConnectError(otherwise)
    details = value.get("details")
    return ConnectError(
        Code.from_name(str(value.get("code")), otherwise),
        str(value.get("message") or ""),
        _read_details(details) if isinstance(details, list) else (),
    )


def _read_details(values: list[object]) -> Iterator[ErrorDetail]:
    """Those of *values* that are details; the others are not worth an error of their own."""
    for value in values:
        match value:
            case {"type": str(type_), "value": str(text), **rest}:
                with suppress(ValueError):
                    data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
                    yield ErrorDetail(type_, data, rest.get("debug"))


def to_json(value: Mapping[str, object]) -> bytes:
    """*value* as compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
