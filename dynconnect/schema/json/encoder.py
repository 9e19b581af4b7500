"""From messages to JSON values: a function for each type, made of source text once the type is known."""

from __future__ import annotations

import binascii
import keyword
import math
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
"""With more fields than this it is cheaper to ask a message for those that it has,"""
NARROW = 12
"""with fewer than this to ask for each, and in between that depends on how many there are."""

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
        self._roots: dict[type[Message], Write] = {}

    def value(self, message: Message) -> Any:  # Any: a value of JSON
        """*message* in Python's types.

        Raises:
            JsonError: it can't be written.
        """
        cls = type(message)
        write = self._roots.get(cls)
        if write is None:
            write = self._roots[cls] = self.of(descriptor_of(cls))
        return write(message)

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
        if len(descriptor.fields) < NARROW:
            return self._narrow(descriptor)
        return _cheaper(self._narrow(descriptor), self._wide(descriptor), len(descriptor.fields))

    def _narrow(self, descriptor: Descriptor) -> Write:
        """A function that asks for each field in turn."""
        names = _names()
        # Of the class: a message may have a field of that name.
        cls = flat_class(descriptor)
        names["has"], names["which"] = cls.HasField, cls.WhichOneof
        defaults: list[str] = []
        lines: list[str] = []
        for field in sorted(descriptor.fields, key=lambda field: field.number):
            key, value, get = repr(self._key(field)), self._expression(field, names), _get(field)
            oneof = field.containing_oneof
            if oneof is not None and len(oneof.fields) > 1:
                if field is min(oneof.fields, key=lambda field: field.number):
                    lines.append(f" one{oneof.index} = which(m, {oneof.name!r})")
                lines += [f" if one{oneof.index} == {field.name!r}:", f"  v = {get}", f"  d[{key}] = {value}"]
            elif field.has_presence:
                lines += [f" if has(m, {field.name!r}):", f"  v = {get}", f"  d[{key}] = {value}"]
            else:
                if self._options.defaults:
                    defaults.append(f"{key}: {self._default(field)!r}")
                # Zero with a sign is no default.
                signed = " or sign(1, v) < 0" if _is_floating(field) else ""
                held = _held(field)
                lines += [f" {held} = {get}", f" if {held}{signed}: d[{key}] = {value}"]
        head = ["def write(m):", f" d = {{{', '.join(defaults)}}}"]
        exec("\n".join([*head, *lines, " return d"]), names)  # noqa: S102  of identifiers and quoted text
        write: Write = names["write"]
        return write

    def _wide(self, descriptor: Descriptor) -> Write:
        """A function that asks for the fields that are there: extensions too, and cheaper if they are few."""
        known = {field: (self._key(field), self._of_field(field)) for field in descriptor.fields}
        defaults: dict[str, Any] = {}
        if self._options.defaults:
            plain = [field for field in descriptor.fields if not field.has_presence]
            defaults = {self._key(field): self._default(field) for field in plain}

        fields_of = flat_class(descriptor).ListFields  # of the class, as above

        def write(message: Message) -> dict[str, Any]:
            found = dict(defaults)
            for field, value in fields_of(message):
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
        exec(f"def write({_held(field)}): return {self._expression(field, names)}", names)  # noqa: S102  as above
        write: Write = names["write"]
        return write

    def _expression(self, field: FieldDescriptor, names: Names) -> str:
        """Source text for what *field* holds, by its name `_held`; what that needs goes into *names*."""
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
            # Sorted, as upb's order changes from run to run.
            if one == "v":
                return f"{{{key}: r[k] for k in sorted(r)}}"
            return f"{{{key}: {one} for k in sorted(r) for v in (r[k],)}}"
        one = self._one(field, names)
        if field.is_repeated:
            if one == "str(v)":
                return "[*map(str, r[:])]"  # a slice is one call
            return "r[:]" if one == "v" else f"[{one} for v in r[:]]"
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


def _cheaper(narrow: Write, wide: Write, fields: int) -> Write:
    """Writes as *narrow* or *wide* does, whichever would have been cheaper for the message before."""
    write = narrow
    few, many = fields // 6, fields // 4

    def written(message: Message) -> Any:
        nonlocal write
        found = write(message)
        if write is narrow:
            if len(found) <= few:
                write = wide
        elif len(found) > many:
            write = narrow
        return found

    return written


def _held(field: FieldDescriptor) -> str:
    """What the value of *field* is called in source text: ``v``, or ``r`` if it is repeated."""
    return "r" if field.is_repeated else "v"


def _get(field: FieldDescriptor) -> str:
    """Source text for what the message ``m`` has in *field*."""
    plain = field.name.isidentifier() and not keyword.iskeyword(field.name)
    return f"m.{field.name}" if plain else f"getattr(m, {field.name!r})"


def _is_floating(field: FieldDescriptor) -> bool:
    return field.cpp_type in _FLOATING and not field.is_repeated


def _names() -> Names:
    return {
        "base64": binascii.b2a_base64,
        "double": write_double,
        "sign": math.copysign,
        "single": write_float,
    }


def _free(names: Names) -> str:
    """A name that nothing has yet."""
    return f"n{len(names)}"
