"""Text and values: a JSON document as Python's own types.

Stricter than most parsers: of two members of one name one reader keeps the first, another the last, so both
are refused.
"""

from __future__ import annotations

import json

import orjson

from dynconnect.schema.json.errors import JsonError
from dynconnect.schema.json.scalars import whole_number

EMPTY = "zero-length JSON; an empty message is {}"


def loads(data: bytes) -> object:
    """The value that *data* holds. Integers beyond 64 bits come as floats.

    Raises:
        JsonError: it is no JSON, or an object has a member twice.
    """
    try:
        value: object = orjson.loads(data)
        # orjson keeps the last of two members. Each that it dropped took a colon with it; an escaped colon
        # would bring one back, so text that may have some is looked at the slow way.
        again = orjson.dumps(value)
        if data != again and (data.count(b":") != again.count(b":") or b"\\u003" in data):
            loads_exactly(data)
    except JsonError:
        raise
    except (
        TypeError,
        ValueError,
    ) as error:  # TypeError: deeper than orjson writes, and so than any message is
        if not data:
            raise JsonError(EMPTY) from None
        text = str(error)
        deep = isinstance(error, TypeError) or "depth limit" in text
        raise JsonError("nested too deep" if deep else f"no JSON: {text}") from None
    return value


def loads_exactly(data: bytes) -> object:
    """The same value, with integers of any size, and ten times slower.

    Raises:
        JsonError: an object has a member twice, or a number has too many digits.
    """
    try:
        value: object = json.loads(data, object_pairs_hook=_object, parse_float=_exact)
    except JsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonError(str(error)) from None
    return value


def dumps(value: object) -> bytes:
    """*value* in UTF-8, compact.

    Raises:
        JsonError: it is nested too deep, or is nothing that JSON has.
    """
    try:
        return orjson.dumps(value)
    except TypeError as error:  # orjson's own error is one
        deep = "ecursion" in str(error)
        raise JsonError("nested too deep" if deep else str(error)) from None


def _exact(text: str) -> float | int:
    """The float that *text* is, or an integer where many of those have the same float."""
    number = float(text)
    whole = whole_number(text) if abs(number) >= 2**53 else None
    return number if whole is None else whole


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) < len(members):
        raise JsonError("an object has the same member twice")
    return found
