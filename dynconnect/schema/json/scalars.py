"""Numbers, text, bytes and enums: a value of one field, each way.

A reader takes the value and the depth at which it stands, as readers of messages do.
"""

from __future__ import annotations

import math
import re
import struct
from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from dynconnect.schema.json.errors import expected
from dynconnect.schema.json.fields import enum_of, extensions_of
from dynconnect.schema.pool import flat_class

Read: TypeAlias = Callable[[Any, int], Any]
"""From a JSON value, and its depth, to what a message's constructor takes. Any: both are of many types."""

SKIP: Final = object()
"""What a reader answers for a value that is to be left out."""

_FLOAT_MAX: float = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
_FLOAT_OVER = 3.4028235677973366e38  # from here on it rounds to infinity
_pack, _unpack = struct.Struct("<f").pack, struct.Struct("<f").unpack
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_DIGITS_MAX = 400


class Inexact(Exception):  # noqa: N818  no error: the document is read again
    """A float stands where a 64-bit integer is wanted, and more than one integer would have given it."""


def write_double(value: float) -> object:
    """*value*, by name if JSON has no such number."""
    if value - value == 0.0:
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def write_float(value: float) -> object:
    """The shortest number that is *value* in 32 bits."""
    if value - value != 0.0:
        return write_double(value)
    for digits in ("%.6g", "%.7g", "%.8g"):
        short = float(digits % value)
        if abs(short) < _FLOAT_OVER and _unpack(_pack(short))[0] == value:
            return short
    return float(f"{value:.9g}")


def integer(low: int, high: int) -> Read:
    """Reads integers from *low* to *high*: a number or its text, also with an exponent if it is whole."""
    what = f"an integer from {low} to {high}"

    def read(value: Any, _depth: int) -> int:  # Any: a JSON value
        """The integer; the usual spellings first, as nearly all are."""
        number: int | None
        if type(value) is str:
            try:
                number = int(value)
            except ValueError:
                number = None
            # Almost every text is the usual one of its number; int() takes others that JSON does not.
            if str(number) != value:
                number = _whole(value)
        elif type(value) is int:
            number = value
        else:
            number = _whole(value)
        if number is None or not low <= number <= high:
            raise expected(what, value)
        return number

    return read


def _whole(value: object) -> int | None:
    """The integer that *value* is in an unusual way; None if it is none."""
    if isinstance(value, str):
        return whole_number(value) if len(value) <= _DIGITS_MAX and _NUMBER.fullmatch(value) else None
    if not isinstance(value, float) or not value.is_integer():
        return None
    if value == -(2.0**63):
        raise Inexact
    return int(value)


def whole_number(text: str) -> int | None:
    """The integer that *text*, a number in JSON, stands for; None if it is none, or beyond all floats."""
    if math.isinf(float(text)):
        return None
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else None


def read_double(value: Any, _depth: int = 0) -> float:  # Any: a JSON value
    """A number, or the text of one."""
    number = _SPECIAL.get(value) if type(value) is str else None
    if number is not None:
        return number
    if type(value) is str:
        if len(value) > _DIGITS_MAX or not _NUMBER.fullmatch(value):
            raise expected("a number", value)
    elif type(value) is not float and type(value) is not int:
        raise expected("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise expected("a number of 64 bits", value)
    return number


def read_float(value: Any, _depth: int = 0) -> float:  # Any: a JSON value
    """A number that 32 bits can hold."""
    number = read_double(value)
    if -_FLOAT_MAX <= number <= _FLOAT_MAX or number - number != 0.0:
        return number
    if abs(number) >= _FLOAT_OVER:
        raise expected("a number of 32 bits", value)
    return math.copysign(_FLOAT_MAX, number)


def read_bytes(value: Any, _depth: int = 0) -> bytes:  # Any: a JSON value
    """Base64 of either alphabet, padded or not."""
    if type(value) is not str:
        raise expected("base64 in a string", value)
    try:
        data = value.encode("ascii").rstrip(b"=").translate(_URL_SAFE)
        return b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except ValueError:
        raise expected("base64", value) from None


def refuse(what: str) -> Read:
    """Reads nothing: what fits has been taken already."""

    def read(value: Any, _depth: int) -> Any:  # Any: a JSON value
        raise expected(what, value)

    return read


READ_INT32 = integer(-(2**31), 2**31 - 1)
_READ_INTEGER = {
    FieldDescriptor.CPPTYPE_INT32: READ_INT32,
    FieldDescriptor.CPPTYPE_UINT32: integer(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: integer(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: integer(0, 2**64 - 1),
}


def reader_of(field: FieldDescriptor, *, skip_unknown: bool) -> tuple[type | None, Read]:
    """The type of values that *field* takes as they are, and what reads the others; *field* is no message."""
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return bool, refuse("true or false")
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return None, read_bytes
        case FieldDescriptor.CPPTYPE_STRING:
            return str, refuse("a string")
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return float, read_double
        case FieldDescriptor.CPPTYPE_FLOAT:
            return None, read_float
        case FieldDescriptor.CPPTYPE_ENUM:
            return None, _enum_reader(enum_of(field), skip_unknown=skip_unknown)
        case kind:
            return None, _READ_INTEGER[kind]


def is_null_value(enum: EnumDescriptor | None) -> bool:
    """Whether *enum* is that of JSON's null."""
    return enum is not None and enum.full_name == "google.protobuf.NullValue"


def enum_names(enum: EnumDescriptor) -> Mapping[int, str]:
    """What JSON calls the numbers of *enum*: the first name of each, or what its option says."""
    chosen = _chosen_names(enum)
    return {value.number: chosen.get(value.name, value.name) for value in reversed(enum.values)}


def _enum_reader(enum: EnumDescriptor, *, skip_unknown: bool) -> Read:
    numbers: dict[str, int] = {value.name: value.number for value in enum.values}
    numbers.update({text: numbers[name] for name, text in _chosen_names(enum).items()})
    closed = frozenset(numbers.values()) if enum.is_closed else None
    null = is_null_value(enum)

    def read(value: Any, depth: int) -> Any:  # Any: a JSON value; a number, or SKIP
        """The number of the value that is given by its name, or by that number."""
        if type(value) is str:
            number = numbers.get(value)
            if number is not None:
                return number
            if not value.removeprefix("-").isdigit():
                if skip_unknown:
                    return SKIP
                raise expected(f"a value of {enum.full_name}", value)
        elif null and value is None:
            return 0
        number = READ_INT32(value, depth)
        if closed is not None and number not in closed:
            raise expected(f"a value of {enum.full_name}", value)
        return number

    return read


def _chosen_names(enum: EnumDescriptor) -> Mapping[str, str]:
    """The names in JSON that values of *enum* were given by the option pb.enumvalue.json."""
    pool = enum.file.pool
    try:
        extension = pool.FindExtensionByName("pb.enumvalue.json")
    except KeyError:
        return {}
    # GetOptions() answers in the default pool's class, which may not know the extension.
    options = flat_class(cast("Descriptor", extension.containing_type))
    found: dict[str, str] = {}
    for value in enum.values:
        given = extensions_of(options.FromString(value.GetOptions().SerializeToString()))
        if extension in given:
            found[value.name] = given[extension].string
    return found
