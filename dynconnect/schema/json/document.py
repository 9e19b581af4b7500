"""Text and values: a JSON document as Python's own types.

Stricter than most parsers: of two members of one name one reader keeps the first, another the last, so both
are refused.
"""

from __future__ import annotations

import json

import orjson

from dynconnect.schema.json.errors import JsonError

EMPTY = "zero-length JSON; an empty message is {}"


def loads(data: bytes) -> object:
    """The value that *data* holds. Integers beyond 64 bits come as floats.

    Raises:
        JsonError: it is no JSON, or an object has a member twice.
    """
    if not data:
        raise JsonError(EMPTY)
    try:
        value: object = orjson.loads(data)
    except ValueError as error:
        text = str(error)
        raise JsonError("nested too deep" if "depth limit" in text else f"no JSON: {text}") from None
    # orjson keeps the last of two members. Each that it dropped took a colon with it; an escaped colon would
    # bring one back, so text that may have some is looked at the slow way.
    if data.count(b":") != _dumped(value).count(b":") or b"\\u003" in data:
        loads_exactly(data)
    return value


def loads_exactly(data: bytes) -> object:
    """The same value, with integers of any size, and ten times slower.

    Raises:
        JsonError: an object has a member twice, or a number has too many digits.
    """
    try:
        value: object = json.loads(data, object_pairs_hook=_object)
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


def _dumped(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # deeper than orjson writes: no message is
        raise JsonError("nested too deep") from None


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) < len(members):
        raise JsonError("an object has the same member twice")
    return found
