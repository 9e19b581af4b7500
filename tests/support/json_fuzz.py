"""Messages and documents of every kind, by chance, and what two JSON codecs make of them.

json_format is the other one. It takes some documents that are no ProtoJSON: each such laxness has a name. Any
other difference is a fault of ours.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message
from support.protoc import compile_set

from dynconnect.rpc.errors import ConnectError
from dynconnect.schema.codec import Json
from dynconnect.schema.json.options import JsonOptions
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source

PROTO = Path(__file__).with_name("everything.proto").read_text()
TYPES = ("fuzz.Everything", "fuzz.Wide", "fuzz.old.Old")

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_FLOATS = (
    0.0,
    -0.0,
    1.5,
    0.1,
    -1e10,
    1e-30,
    1e38,
    3.4028234663852886e38,
    1e-45,
    float("nan"),
    float("inf"),
    float("-inf"),
)
_LETTERS = 'ab"\\\n/é€😀:,{}[]\u2028'
_ODD: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        1.0,
        -0.0,
        1.5,
        1e100,
        1e39,
        2**31,
        2**32,
        2**53 + 1,
        2**63,
        2**64,
        -(2**63) - 1,
    ),
    *(
        "",
        "1",
        "-1",
        "1.0",
        "1.50",
        "-0",
        "01",
        "1e2",
        "1E+2",
        "1e-2",
        "1.",
        ".5",
        " 1",
        "1 ",
        "+1",
        "1_0",
        "\u0661",
    ),
    *("0x1", "NaN", "nan", "Infinity", "-Infinity", "inf", "1e400", "true", "false", "x", "é"),
    *("AA==", "AA", "A", "_-A=", "A A=", "AA=A", "====", "AAAA\n"),
    *([], [None], [1], [[]], {}, {"a": 1}, {"value": 1}, {"@type": "t/fuzz.Everything", "int32Value": 7}),
    *(
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.1+01:00",
        "0001-01-01T00:00:00-01:00",
        "9999-12-31T23:59:59Z",
    ),
    *("2026-1-2T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-02T24:00:00Z", "2026-01-02T03:04:60Z"),
    *(
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04:05",
        "2026-01-02t03:04:05z",
        "2026-01-02T03:04:05.1234567890Z",
    ),
    *("1s", "1.5s", "-1s", "-0.5s", "1.1234567891s", "s", "1", ".5s", "1.s", "315576000001s", "+1s", "1S"),
    *("COLOR_RED", "color_red", "RED", "aB,cD", "a_b", "A", "a,,b", ","),
]


@cache
def schema() -> Schema:
    files = FileDescriptorSet.FromString(compile_set({"everything.proto": PROTO, "old.proto": OLD})).file
    return Schema([Source("fuzz.binpb", tuple(file.SerializeToString() for file in files))])


OLD = """
syntax = "proto2";
package fuzz.old;
message Old {
  enum Closed { FIRST = 0; SECOND = 2; ALIAS = 2; option allow_alias = true; }
  optional int32 number = 1 [default = 7];
  optional string text = 2;
  optional Closed closed = 3;
  repeated Closed choices = 4;
  optional group Part = 5 { optional bool flag = 1; optional Old old = 2; }
  map<string, Closed> named = 6;
  extensions 100 to 200;
}
message Holder { extend Old { optional Old nested = 101; } }
extend Old { optional int64 big = 100; repeated string words = 102; }
"""


class Chance:
    """Messages and documents by *seed*."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  no secret

    def message(self) -> Message:
        message = schema().message_class(self._random.choice(TYPES))()
        self._fill(message, 0)
        return message

    def document(self, value: Any) -> Any:
        """*value*, with something else in it somewhere."""
        return self._changed(value, 0)

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def _fill(self, message: Message, depth: int) -> None:
        special = getattr(self, f"_fill_{message.DESCRIPTOR.name.lower()}", None)
        if special is not None and message.DESCRIPTOR.full_name.startswith("google.protobuf."):
            special(message, depth)
            return
        fields = [*message.DESCRIPTOR.fields]
        if message.DESCRIPTOR.is_extendable:
            fields += message.DESCRIPTOR.file.pool.FindAllExtensions(message.DESCRIPTOR)
        for field in self._random.sample(
            fields, min(len(fields), self._random.randint(0, 8 if depth < 3 else 1))
        ):
            self._set(message, field, depth)

    def _set(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        held = message.Extensions[field] if field.is_extension else getattr(message, field.name)
        inner: Descriptor | None = field.message_type
        if field.is_repeated and inner is not None and inner.GetOptions().map_entry:
            value = inner.fields_by_number[2]
            for _ in range(self._random.randint(0, 2)):
                key = self._scalar(inner.fields_by_number[1])
                if value.message_type is not None:
                    self._fill(held[key], depth + 1)
                else:
                    held[key] = self._scalar(value)
        elif field.is_repeated:
            for _ in range(self._random.randint(0, 2)):
                if inner is not None:
                    self._fill(held.add(), depth + 1)
                else:
                    held.append(self._scalar(field))
        elif inner is not None:
            if depth < 4:
                held.SetInParent()
                self._fill(held, depth + 1)
        elif field.is_extension:
            message.Extensions[field] = self._scalar(field)
        else:
            setattr(message, field.name, self._scalar(field))

    def _scalar(self, field: FieldDescriptor) -> Any:
        draw = self._random
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_BOOL:
                return self.chance(0.5)
            case FieldDescriptor.CPPTYPE_ENUM:
                return draw.choice(field.enum_type.values).number
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                return draw.choice([*_FLOATS, draw.random(), draw.uniform(-1e6, 1e6)])
            case FieldDescriptor.CPPTYPE_STRING:
                text = "".join(draw.choice(_LETTERS) for _ in range(draw.randint(0, 6)))
                return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
            case kind:
                low, high = _RANGES[kind]
                return draw.choice([0, 1, low, high, draw.randint(low, high), draw.randint(0, 100)])

    def _fill_timestamp(self, message: Any, _depth: int) -> None:
        message.seconds = self._random.choice(
            [0, -1, 253402300799, -62135596800, self._random.randint(0, 2**31)]
        )
        message.nanos = self._random.choice([0, 1, 10**6, 123456000, 999999999])

    def _fill_duration(self, message: Any, _depth: int) -> None:
        sign = self._random.choice([1, -1])
        message.seconds = sign * self._random.choice([0, 1, 315576000000])
        message.nanos = sign * self._random.choice([0, 1, 5 * 10**8, 1000])

    def _fill_fieldmask(self, message: Any, _depth: int) -> None:
        message.paths.extend(
            self._random.sample(["foo", "bar_baz", "a.b_c", "x.y"], self._random.randint(0, 3))
        )

    def _fill_any(self, message: Any, depth: int) -> None:
        inner = schema().message_class("fuzz.Everything")()
        if depth < 2:
            self._fill(inner, depth + 2)
        message.Pack(inner, deterministic=True)

    def _fill_value(self, message: Any, depth: int) -> None:
        match self._random.randint(0, 5 if depth < 4 else 3):
            case 0:
                message.null_value = 0
            case 1:
                message.number_value = self._random.choice([0.0, 1.5, -1e300])
            case 2:
                message.string_value = self._random.choice(["", "x", "é"])
            case 3:
                message.bool_value = self.chance(0.5)
            case 4:
                message.struct_value.SetInParent()
                self._fill(message.struct_value, depth + 1)
            case 5:
                message.list_value.SetInParent()
                self._fill(message.list_value, depth + 1)

    def _changed(self, value: Any, depth: int) -> Any:
        draw = self._random
        if isinstance(value, dict) and value and (depth == 0 or self.chance(0.8)):
            key, found = draw.choice(list(value)), dict(value)
            match draw.randint(0, 19):
                case 0:
                    found[draw.choice(["unknown", key.upper(), f"{key}x", f"[{key}]"])] = found.pop(key)
                case 1:
                    found["unknown"] = 1
                case 2:
                    found[re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)] = found.pop(key)
                case _:
                    found[key] = self._changed(value[key], depth + 1)
            return found
        if isinstance(value, list) and value and self.chance(0.7):
            at = draw.randrange(len(value))
            return [*value[:at], self._changed(value[at], depth + 1), *value[at + 1 :]]
        if isinstance(value, str) and self.chance(0.1):
            return base64.b64encode(value.encode()).decode()
        return draw.choice(_ODD)


class Codecs:
    """Our codec and json_format, and how often they came to what."""

    def __init__(self) -> None:
        self._ours = Json(schema().find_message_class, JsonOptions(strict=True))
        self.outcomes: Counter[str] = Counter()

    def write(self, message: Message) -> str:
        """The document of *message*, by both; an assertion fails if they differ."""
        theirs = json_format.MessageToJson(message, descriptor_pool=schema().pool)
        ours = self._ours.encode(message)
        assert _exact(ours) == _exact(theirs), f"{message}\n{ours!r}\n{theirs}"
        assert _alike(self._ours.decode(ours, type(message)), message), ours
        self.outcomes["written"] += 1
        return theirs

    def read(self, document: Any, cls: type[Message]) -> None:
        """Read *document* by both; an assertion fails if they differ by anything that has no name."""
        text = json.dumps(document)
        theirs, ours, error = None, None, ""
        try:
            theirs = json_format.Parse(text, cls(), descriptor_pool=schema().pool)
        except Exception as exc:  # noqa: BLE001  it lets through whatever its parts raise
            error = str(exc)
        try:
            ours = self._ours.decode(text.encode(), cls)
        except ConnectError as exc:
            error = exc.message
        if ours is not None and theirs is not None:
            self.outcomes["read alike"] += 1
            assert _alike(ours, theirs), text
        elif ours is None and theirs is None:
            self.outcomes["refused alike"] += 1
        else:
            names = LAXNESS if ours is None else FAULTS
            found = [name for name, pattern in names.items() if re.search(pattern, error)]
            assert found, f"{'we' if ours is None else 'json_format'} alone: {error}\n{text}"
            self.outcomes[found[0]] += 1


LAXNESS = {
    "text that Python's int() takes, and JSON does not": r'expected an integer from .*, got "',
    "true and false for a number": r"expected (an integer from .*|a number), got (true|false)$",
    "an enum's number beyond 32 bits": r"expected an integer from -2147483648 to .*, got -?\d{10,}$",
    "text that int() takes, for an enum": r'expected a value of \S+, got "[ +\d]',
    "a fraction for an enum": r"expected an integer from -2147483648 to 2147483647, got \d+\.\d+$",
    "text that Python's float() takes, and JSON does not": r'expected a number( of 64 bits)?, got "',
    "what is almost base64": r"expected base64, got ",
    "a Timestamp by strptime(), with single digits": r"expected a Timestamp such as",
    "a Duration by float(), with a plus, a bare point or ten digits": r"expected a Duration such as",
    "something empty for a message": r'expected an object, got (an array|"")$',
}
"""What json_format takes and we do not: the name of each, and how we refuse it."""

FAULTS = {
    "null for a repeated Value, which crashes json_format": "has no attribute 'null_value'",
    "the largest float as json_format writes it, and does not read it": r"Float value too (large|small)",
}
"""What json_format fails on by a fault of its own, and how."""


def _exact(text: str | bytes) -> Any:
    return json.loads(text, object_pairs_hook=dict)


def _alike(one: Message, other: Message) -> bool:
    """Whether two messages hold the same; NaN is NaN, and an Any holds maps in some order."""
    if one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True):
        return True
    one, other = (json_format.MessageToDict(each, descriptor_pool=schema().pool) for each in (one, other))
    return one == other


def run(seed: int, codecs: Codecs, count: int) -> None:
    """Write *count* messages, and read as many documents."""
    chance = Chance(seed)
    for _ in range(count):
        message = chance.message()
        value = json.loads(codecs.write(message))
        codecs.read(chance.document(value) if chance.chance(0.9) else value, type(message))
