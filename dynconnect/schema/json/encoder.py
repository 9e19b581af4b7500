"""From messages to JSON values: a function for each type, made of source text once the type is known."""

from __future__ import annotations

import binascii
import keyword
from collections.abc import Mapping
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Error, Message

from dynconnect.schema.json.errors import JsonError
from dynconnect.schema.json.fields import (
    FindClass,
    any_type,
    descriptor_of,
    enum_of,
    is_map,
    key_and_value,
    message_of,
)
from dynconnect.schema.json.options import JsonOptions
from dynconnect.schema.json.scalars import enum_names, is_null_value, write_double, write_float
from dynconnect.schema.json.wellknown import ANY, BARE, WRAPPERS, WRITE, Write
from dynconnect.schema.pool import flat_class

WIDE = 64
"""With more fields than this it is cheaper to ask a message for those that it has."""

_BIG = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
_FLOATING = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)

Names: TypeAlias = dict[str, Any]  # Any: whatever the source text needs, by the names it has there


class Encoder:
    """Writes messages of any pool.

    Args:
        find_class: finds the types of Any.
    """

    def __init__(self, find_class: FindClass, options: JsonOptions) -> None:
        self._find_class = find_class
        self._options = options
        self._writes: dict[Descriptor, Write] = {}

    def of(self, descriptor: Descriptor) -> Write:
        """What writes messages of *descriptor*; it raises JsonError."""
        write = self._writes.get(descriptor)
        if write is None:
            write = self._writes[descriptor] = self._compile(descriptor)
        return write

    def _compile(self, descriptor: Descriptor) -> Write:
        name = descriptor.full_name
        if name in WRITE:
            return WRITE[name]
        if name in WRAPPERS:
            write = self._of_field(descriptor.fields[0])
            return lambda message: write(message.value)
        if name == ANY:
            return self._any
        if descriptor.is_extendable or len(descriptor.fields) > WIDE:
            return self._wide(descriptor)
        return self._narrow(descriptor)

    def _narrow(self, descriptor: Descriptor) -> Write:
        """A function that asks for each field in turn."""
        names = _names()
        # Of the class: a message may have a field of that name.
        names["has"] = flat_class(descriptor).HasField
        defaults: list[str] = []
        lines: list[str] = []
        for field in sorted(descriptor.fields, key=lambda field: field.number):
            key, value = repr(self._key(field)), self._expression(field, names)
            attribute = f"m.{field.name}"
            if keyword.iskeyword(field.name):
                attribute = f"getattr(m, {field.name!r})"
            if field.has_presence:
                lines += [f" if has(m, {field.name!r}):", f"  v = {attribute}", f"  d[{key}] = {value}"]
                continue
            if self._options.defaults:
                defaults.append(f"{key}: {self._default(field)!r}")
            # Zero with a sign is no default.
            signed = " or str(v)[0] == '-'" if field.cpp_type in _FLOATING and not field.is_repeated else ""
            lines += [f" v = {attribute}", f" if v{signed}: d[{key}] = {value}"]
        head = ["def write(m):", f" d = {{{', '.join(defaults)}}}"]
        exec("\n".join([*head, *lines, " return d"]), names)  # noqa: S102  names are identifiers, texts are quoted
        write: Write = names["write"]
        return write

    def _wide(self, descriptor: Descriptor) -> Write:
        """A function that asks for the fields that are there: extensions too, and cheaper if they are few."""
        known = {field: (self._key(field), self._of_field(field)) for field in descriptor.fields}
        defaults: dict[str, Any] = {}
        if self._options.defaults:
            plain = [field for field in descriptor.fields if not field.has_presence]
            defaults = {self._key(field): self._default(field) for field in plain}

        def write(message: Message) -> dict[str, Any]:
            found = dict(defaults)
            for field, value in message.ListFields():
                entry = known.get(field)
                if entry is None:
                    entry = known[field] = (f"[{field.full_name}]", self._of_field(field))
                found[entry[0]] = entry[1](value)
            return found

        return write

    def _key(self, field: FieldDescriptor) -> str:
        return field.name if self._options.proto_names else field.json_name

    def _default(self, field: FieldDescriptor) -> Any:
        if is_map(field):
            return {}
        return [] if field.is_repeated else self._of_field(field)(field.default_value)

    def _of_field(self, field: FieldDescriptor) -> Write:
        """A function for the value of *field*."""
        names = _names()
        exec(f"def write(v): return {self._expression(field, names)}", names)  # noqa: S102  as above
        write: Write = names["write"]
        return write

    def _expression(self, field: FieldDescriptor, names: Names) -> str:
        """Source text for the value ``v`` of *field*; what that needs goes into *names*."""
        if is_map(field):
            key_field, value_field = key_and_value(field)
            match key_field.cpp_type:
                case FieldDescriptor.CPPTYPE_STRING:
                    key = "k"
                case FieldDescriptor.CPPTYPE_BOOL:
                    key = "('true' if k else 'false')"
                case _:
                    key = "str(k)"
            one = self._one(value_field, names)
            # upb's order changes from run to run.
            return f"{{{key}: {one} for m in (v,) for k in sorted(m) for v in (m[k],)}}"
        one = self._one(field, names)
        if field.is_repeated:
            return "v[:]" if one == "v" else f"[{one} for v in v[:]]"  # a slice is one call
        return one

    def _one(self, field: FieldDescriptor, names: Names) -> str:
        """Source text for one value ``v`` of *field*."""
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_MESSAGE:
                return f"{self._later(message_of(field), names)}(v)"
            case FieldDescriptor.CPPTYPE_ENUM if is_null_value(field.enum_type):
                return "None"
            case FieldDescriptor.CPPTYPE_ENUM if not self._options.enum_numbers:
                name = _free(names)
                names[name] = enum_names(enum_of(field)).get
                return f"{name}(v, v)"
            case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
                return "base64(v, newline=False).decode('ascii')"
            case FieldDescriptor.CPPTYPE_DOUBLE:
                return "(v if v - v == 0.0 else double(v))"
            case FieldDescriptor.CPPTYPE_FLOAT:
                return "single(v)"
            case kind:
                return "str(v)" if kind in _BIG else "v"

    def _later(self, descriptor: Descriptor, names: Names) -> str:
        """The name of what writes *descriptor*; compiled when it is first called, as types are recursive."""
        name = _free(names)

        def first(message: Message) -> Any:
            write = names[name] = self.of(descriptor)
            return write(message)

        names[name] = self._writes.get(descriptor, first)
        return name

    def _any(self, message: Any) -> Mapping[str, Any]:
        if not message.type_url and not message.value:
            return {}
        cls = any_type(self._find_class, message.type_url)
        try:
            inner = cls.FromString(message.value)
        except (Error, ValueError) as error:
            raise JsonError(f"an Any holds no {cls.DESCRIPTOR.full_name}: {error}") from None
        descriptor = descriptor_of(cls)
        value = self.of(descriptor)(inner)
        if descriptor.full_name in BARE:
            return {"@type": message.type_url, "value": value}
        return {"@type": message.type_url, **value}


def _names() -> Names:
    return {"base64": binascii.b2a_base64, "double": write_double, "single": write_float}


def _free(names: Names) -> str:
    """A name that nothing has yet."""
    return f"n{len(names)}"
