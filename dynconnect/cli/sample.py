"""Samples: a small JSON message of any type, to show what a request looks like.

Source: Protocol Buffers, "ProtoJSON Format".
"""

from __future__ import annotations

from typing import TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | float | bool | None

MAX_FIELDS = 4
"""How many fields of one message are shown, required ones aside: it is to be read at a glance."""
MAX_DEPTH = 2

_TEXT = "..."
_SPECIAL: dict[str, Json] = {
    "Any": {},
    "BoolValue": True,
    "BytesValue": "",
    "DoubleValue": 1.5,
    "Duration": "1s",
    "Empty": {},
    "FieldMask": "",
    "FloatValue": 1.5,
    "Int32Value": 1,
    "Int64Value": "1",
    "ListValue": [],
    "StringValue": _TEXT,
    "Struct": {},
    "Timestamp": "2025-01-01T00:00:00Z",
    "UInt32Value": 1,
    "UInt64Value": "1",
    "Value": _TEXT,
}
"""The types of google.protobuf that JSON writes in a way of their own."""

_SCALARS: dict[int, Json] = {
    FieldDescriptor.CPPTYPE_INT32: 1,
    FieldDescriptor.CPPTYPE_INT64: "1",
    FieldDescriptor.CPPTYPE_UINT32: 1,
    FieldDescriptor.CPPTYPE_UINT64: "1",
    FieldDescriptor.CPPTYPE_DOUBLE: 1.5,
    FieldDescriptor.CPPTYPE_FLOAT: 1.5,
    FieldDescriptor.CPPTYPE_BOOL: True,
    FieldDescriptor.CPPTYPE_STRING: _TEXT,
}


def sample(message: Descriptor, depth: int = 0) -> Json:
    """A message of the type *message* as JSON writes it: its first fields, with plain values.

    Lists, maps and bytes are left out, and all but the first member of a oneof.
    """
    package, _, name = message.full_name.rpartition(".")
    if package == "google.protobuf" and name in _SPECIAL:
        return _SPECIAL[name]
    found: dict[str, Json] = {}
    oneofs = set()
    for field in message.fields:
        oneof = field.containing_oneof
        wanted = len(found) < MAX_FIELDS and not field.is_repeated and oneof not in oneofs
        if not (wanted or field.is_required):
            continue
        value = _value(field, depth)
        if value is not None:
            found[field.json_name] = value
            oneofs |= {oneof} - {None}
    return found


def _value(field: FieldDescriptor, depth: int) -> Json:
    """A value of *field*; None if it can as well be left out.

    An empty message says nothing, and bytes would be noise: both are left out unless they are required.
    """
    if field.message_type is not None:
        if depth >= MAX_DEPTH:
            return {} if field.is_required else None
        return sample(field.message_type, depth + 1) or ({} if field.is_required else None)
    if field.enum_type is not None:
        values = field.enum_type.values
        return values[min(1, len(values) - 1)].name  # the first one says as a rule that there is none
    if field.type == FieldDescriptor.TYPE_BYTES:
        return "" if field.is_required else None
    return _SCALARS[field.cpp_type]
