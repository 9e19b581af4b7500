"""What a schema declares, for the explorer: one symbol at a time, with its comments, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent
from typing import TypeAlias
from weakref import WeakKeyDictionary

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    FileDescriptor,
    ServiceDescriptor,
)

from dynconnect.schema.described import find
from dynconnect.schema.schema import Schema
from dynconnect.schema.spelling import comments_of, map_entry, oneof_of, type_of

Json: TypeAlias = dict[str, object]

_comments: WeakKeyDictionary[Schema, dict[str, Mapping[str, str]]] = WeakKeyDictionary()
"""By file; a schema does not change, and finding them takes a while."""


def symbol_of(schema: Schema, name: str) -> Json:
    """The service, message or enum *name*, all that it is made of, and the comments.

    Raises:
        LookupError: there is none; the text has the nearest name.
    """
    found = find(schema, name)
    if isinstance(found, ServiceDescriptor):
        return _service(schema, found)
    if isinstance(found, EnumDescriptor):
        return _enum(schema, found)
    if isinstance(found, Descriptor):
        return _message(schema, found)
    return symbol_of(schema, found.containing_service.full_name)


def _service(schema: Schema, service: ServiceDescriptor) -> Json:
    methods = {method.name: _comment(schema, service.file, method.full_name) for method in service.methods}
    return {"kind": "service", **_head(schema, service), "methods": methods}


def _message(schema: Schema, message: Descriptor) -> Json:
    fields = [_field(schema, message, field) for field in message.fields]
    return {"kind": "message", **_head(schema, message), "fields": fields}


def _enum(schema: Schema, enum: EnumDescriptor) -> Json:
    values = [
        {
            "name": value.name,
            "number": value.number,
            "comment": _comment(schema, enum.file, f"{enum.full_name}.{value.name}"),
        }
        for value in enum.values
    ]
    return {"kind": "enum", **_head(schema, enum), "values": values}


def _head(schema: Schema, found: Descriptor | EnumDescriptor | ServiceDescriptor) -> Json:
    comment = _comment(schema, found.file, found.full_name)
    return {"name": found.full_name, "file": found.file.name, "comment": comment}


def _field(schema: Schema, owner: Descriptor, field: FieldDescriptor) -> Json:
    entry = map_entry(field)
    value = field if entry is None else entry[1]
    named = value.message_type or value.enum_type
    shape = "map" if entry is not None else "repeated" if field.is_repeated else "single"
    return {
        "name": field.name,
        "json": field.json_name,
        "number": field.number,
        "type": type_of(field),
        "shape": shape,
        "holds": named.full_name if named is not None else type_of(value).rpartition(" ")[2],
        "kind": "message" if value.message_type else "enum" if value.enum_type else "scalar",
        "oneof": oneof_of(field),
        "deprecated": field.GetOptions().deprecated,
        "comment": _comment(schema, owner.file, field.full_name),
    }


def _comment(schema: Schema, file: FileDescriptor, name: str) -> str:
    known = _comments.setdefault(schema, {})
    if file.name not in known:
        known[file.name] = comments_of(file, schema.files[file.name])
    return dedent(known[file.name].get(name, "")).strip()
