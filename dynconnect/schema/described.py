"""What a schema declares, as its author would write it in a .proto file, comments included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)

from dynconnect.schema.finding import nearest
from dynconnect.schema.schema import Schema
from dynconnect.schema.spelling import comments_of, map_entry, oneof_of, type_of

Described: TypeAlias = ServiceDescriptor | MethodDescriptor | Descriptor | EnumDescriptor
Comments: TypeAlias = Mapping[str, str]
_INDENT = "  "


def describe(schema: Schema, symbol: str) -> str:
    """The service, method, message or enum *symbol* in .proto source.

    Raises:
        LookupError: as for `find`.
    """
    found = find(schema, symbol)
    file = (found.containing_service if isinstance(found, MethodDescriptor) else found).file
    comments = comments_of(file, schema.files[file.name])
    lines = [f"// {file.name}", *_comment(comments, found.full_name), *_declared(found, comments)]
    return "\n".join(lines)


def find(schema: Schema, symbol: str) -> Described:
    """The service, method, message or enum *symbol*; ``package.Service/Method`` is a method too.

    Raises:
        LookupError: there is none; the text has the nearest name.
    """
    pool = schema.pool
    name = symbol.strip(".").replace("/", ".")
    service, _, method = name.rpartition(".")
    finders = (pool.FindServiceByName, pool.FindMessageTypeByName, pool.FindEnumTypeByName)
    for finder in finders:
        try:
            return finder(name)
        except KeyError:
            continue
    try:
        return pool.FindServiceByName(service).methods_by_name[method]
    except KeyError:
        pass
    close = nearest(name, _names(schema))
    raise LookupError(f"there is no {name}" + (f"; did you mean {close}?" if close else ""))


def _names(schema: Schema) -> list[str]:
    """Full names of services, methods, messages and enums, without nested ones."""
    found: list[str] = []
    for file in map(schema.pool.FindFileByName, schema.files):
        found += [each.full_name for each in file.services_by_name.values()]
        found += [method.full_name for each in file.services_by_name.values() for method in each.methods]
        found += [each.full_name for each in file.message_types_by_name.values()]
        found += [each.full_name for each in file.enum_types_by_name.values()]
    return found


def _declared(found: Described, comments: Comments) -> Iterator[str]:
    match found:
        case ServiceDescriptor():
            yield f"service {found.name} {{"
            for method in found.methods:
                yield from _inside(_comment(comments, method.full_name))
                yield f"{_INDENT}{_rpc(method)}"
            yield "}"
        case MethodDescriptor():
            yield _rpc(found)
        case EnumDescriptor():
            yield from _enum(found, comments)
        case _:
            yield from _message(found, comments)


def _rpc(method: MethodDescriptor) -> str:
    request, response = (
        f"{'stream ' if streams else ''}{message.full_name}"
        for streams, message in (
            (method.client_streaming, method.input_type),
            (method.server_streaming, method.output_type),
        )
    )
    return f"rpc {method.name}({request}) returns ({response});"


def _message(message: Descriptor, comments: Comments) -> Iterator[str]:
    yield f"message {message.name} {{"
    oneof = None
    for field in message.fields:
        if (now := oneof_of(field)) != oneof:
            if oneof is not None:
                yield f"{_INDENT}}}"
            if now is not None:
                yield f"{_INDENT}oneof {now} {{"
            oneof = now
        lines = [*_comment(comments, field.full_name), _field(field)]
        yield from _inside(lines if oneof is None else _inside(lines))
    if oneof is not None:
        yield f"{_INDENT}}}"
    for nested in message.nested_types:
        if not nested.GetOptions().map_entry:
            yield from _inside([*_comment(comments, nested.full_name), *_message(nested, comments)])
    for enum in message.enum_types:
        yield from _inside([*_comment(comments, enum.full_name), *_enum(enum, comments)])
    yield "}"


def _field(field: FieldDescriptor) -> str:
    plain = not (field.is_repeated or field.is_required) and oneof_of(field) is None
    optional = plain and field.has_presence and field.message_type is None
    options = " [deprecated = true]" if field.GetOptions().deprecated else ""
    return f"{'optional ' if optional else ''}{_type(field)} {field.name} = {field.number}{options};"


def _type(field: FieldDescriptor) -> str:
    """As `type_of` has it, with the packages of names, by which they can be looked up."""
    text, value = type_of(field), field
    if (entry := map_entry(field)) is not None:
        value = entry[1]
    named = value.message_type or value.enum_type
    return text if named is None else text.replace(named.name, named.full_name)


def _enum(enum: EnumDescriptor, comments: Comments) -> Iterator[str]:
    yield f"enum {enum.name} {{"
    for value in enum.values:
        yield from _inside(_comment(comments, f"{enum.full_name}.{value.name}"))
        yield f"{_INDENT}{value.name} = {value.number};"
    yield "}"


def _comment(comments: Comments, name: str) -> list[str]:
    return [f"//{line}".rstrip() for line in comments.get(name, "").splitlines()]


def _inside(lines: Iterable[str]) -> list[str]:
    return [f"{_INDENT}{line}" for line in lines]
