"""Types that JSON writes in a form of their own, each way.

Source: ProtoJSON Format, and google/protobuf/{timestamp,duration,field_mask,struct}.proto.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from dynconnect.schema.json.errors import JsonError, expected
from dynconnect.schema.json.scalars import Read, read_double

DEPTH_MAX = 100
"""How deep messages may nest below the first one: upb's limit for the binary form, so also for JSON."""

# Any: messages are of classes made at run time, and values of JSON of many types.
Write: TypeAlias = Callable[[Any], Any]

_PACKAGE = "google.protobuf."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_MINUTES = tuple(f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(1440))
_SECONDS = tuple(f":{second:02d}" for second in range(60))
_SECONDS_MIN, _SECONDS_MAX = -62135596800, 253402300799  # the years 1 to 9999
_DURATION_MAX = 315_576_000_000
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_PLAIN = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{3}|\.\d{6})?Z", re.ASCII)
_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)


@lru_cache(4096)
def _day(number: int) -> str:
    return date.fromordinal(number + _EPOCH_DAY).isoformat()


def _fraction(nanos: int) -> str:
    """*nanos* in as few groups of three digits as they need, behind a point."""
    digits = f".{nanos:09d}"
    return digits[:4] if digits.endswith("000000") else digits[:7] if digits.endswith("000") else digits


def _write_timestamp(message: Any) -> str:
    seconds, nanos = message.seconds, message.nanos
    if not (_SECONDS_MIN <= seconds <= _SECONDS_MAX and 0 <= nanos <= 999_999_999):
        raise JsonError("a Timestamp must be in the years 1 to 9999, with 0 to 999999999 nanos")
    minute, second = divmod(seconds, 60)
    day, minute = divmod(minute, 1440)
    return f"{_day(day)}T{_MINUTES[minute]}{_SECONDS[second]}{_fraction(nanos) if nanos else ''}Z"


def _read_timestamp(value: Any, _depth: int) -> Mapping[str, int]:
    if type(value) is str and _PLAIN.fullmatch(value):
        try:
            since = datetime.fromisoformat(value) - _EPOCH  # exact to the microsecond
        except ValueError:
            raise expected("a Timestamp", value) from None
        return {"seconds": since.days * 86400 + since.seconds, "nanos": since.microseconds * 1000}
    match = _TIMESTAMP.fullmatch(value) if type(value) is str else None
    if match is None:
        raise expected("a Timestamp such as 2026-01-02T03:04:05Z", value)
    *parts, fraction, sign, off_hours, off_minutes = match.groups()
    try:
        at = datetime(*map(int, parts), tzinfo=UTC)  # type: ignore[misc,arg-type]  # six numbers
    except ValueError:
        raise expected("a Timestamp", value) from None
    seconds = (at.toordinal() - _EPOCH_DAY) * 86400 + at.hour * 3600 + at.minute * 60 + at.second
    if sign:
        if int(off_hours) > 23 or int(off_minutes) > 59:
            raise expected("a Timestamp", value)
        offset = int(off_hours) * 3600 + int(off_minutes) * 60
        seconds += -offset if sign == "+" else offset
    if not _SECONDS_MIN <= seconds <= _SECONDS_MAX:
        raise expected("a Timestamp in the years 1 to 9999", value)
    return {"seconds": seconds, "nanos": int((fraction or "0").ljust(9, "0"))}


def _write_duration(message: Any) -> str:
    seconds, nanos = message.seconds, message.nanos
    if (
        abs(seconds) > _DURATION_MAX
        or abs(nanos) > 999_999_999
        or (seconds < 0 < nanos)
        or (nanos < 0 < seconds)
    ):
        raise JsonError("a Duration must be within 10,000 years, seconds and nanos of one sign")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos)) if nanos else ''}s"


def _read_duration(value: Any, _depth: int) -> Mapping[str, int]:
    match = _DURATION.fullmatch(value) if type(value) is str else None
    if match is None:
        raise expected("a Duration such as 1.5s", value)
    sign, whole, fraction = match.groups()
    seconds, nanos = int(whole), int(fraction.ljust(9, "0")) if fraction else 0
    if seconds > _DURATION_MAX:
        raise expected("a Duration within 10,000 years", value)
    return {"seconds": -seconds, "nanos": -nanos} if sign else {"seconds": seconds, "nanos": nanos}


def _write_mask(message: Any) -> str:
    paths = []
    for path in message.paths:
        camel = re.sub(r"_([a-z])", lambda found: found[1].upper(), path)
        if re.search(r"[A-Z]", path) or "_" in camel:
            raise JsonError(f"the path {path!r} of a FieldMask can't be written and read again")
        paths.append(camel)
    return ",".join(paths)


def _read_mask(value: Any, _depth: int) -> Mapping[str, list[str]]:
    if type(value) is not str or "_" in value:
        raise expected("a FieldMask: paths in lowerCamelCase, with commas between them", value)
    paths = value.split(",") if value else []
    return {"paths": [re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", path) for path in paths]}


def _write_value(message: Any) -> Any:
    match message.WhichOneof("kind"):
        case None | "null_value":
            return None
        case "struct_value":
            return _write_struct(message.struct_value)
        case "list_value":
            return _write_list(message.list_value)
        case "number_value":
            number = message.number_value
            if number - number != 0.0:
                raise JsonError("a Value must be a finite number")
            return number
        case kind:
            return getattr(message, kind)


def _write_struct(message: Any) -> Any:
    fields = message.fields
    return {name: _write_value(fields[name]) for name in sorted(fields)}


def _write_list(message: Any) -> Any:
    return [_write_value(value) for value in message.values]


def _read_value(value: Any, depth: int) -> Mapping[str, Any]:
    if depth > DEPTH_MAX:
        raise JsonError("nested too deep")
    match value:
        case None:
            return {"null_value": 0}
        case bool():
            return {"bool_value": value}
        case str():
            return {"string_value": value}
        case dict():
            return {"struct_value": _read_struct(value, depth + 1)}
        case list():
            return {"list_value": _read_list(value, depth + 1)}
        case _:
            return {"number_value": read_double(value)}


def _read_struct(value: Any, depth: int) -> Any:
    """The object as it is, which the constructor of a message takes for a Struct."""
    if type(value) is not dict:
        raise expected("an object", value)
    for inner in value.values():
        if type(inner) in (dict, list):
            _read_value(inner, depth + 1)  # for its depth alone
    return value


def _read_list(value: Any, depth: int) -> Mapping[str, Any]:
    if type(value) is not list:
        raise expected("an array", value)
    return {"values": [_read_value(inner, depth + 1) for inner in value]}


WRITE: Mapping[str, Write] = {
    f"{_PACKAGE}Timestamp": _write_timestamp,
    f"{_PACKAGE}Duration": _write_duration,
    f"{_PACKAGE}FieldMask": _write_mask,
    f"{_PACKAGE}Struct": _write_struct,
    f"{_PACKAGE}Value": _write_value,
    f"{_PACKAGE}ListValue": _write_list,
}
READ: Mapping[str, Read] = {
    f"{_PACKAGE}Timestamp": _read_timestamp,
    f"{_PACKAGE}Duration": _read_duration,
    f"{_PACKAGE}FieldMask": _read_mask,
    f"{_PACKAGE}Struct": _read_struct,
    f"{_PACKAGE}Value": _read_value,
    f"{_PACKAGE}ListValue": _read_list,
}
ANY = f"{_PACKAGE}Any"
STRUCT = f"{_PACKAGE}Struct"
VALUE = f"{_PACKAGE}Value"
WRAPPERS = frozenset(
    f"{_PACKAGE}{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
BARE = frozenset({*WRITE, ANY, *WRAPPERS})
"""Types that stand under ``value`` in an Any, and not among its members."""
