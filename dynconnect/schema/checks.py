"""Checks: what a pool accepts silently although a compiler would refuse it.

Such a set was written or patched by a program; serving it would misread what the next version of
its schema means.
Source: Protocol Buffers language specification, "Reserved Fields", "Assigning Field Numbers", editions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto
from google.protobuf.unknown_fields import UnknownFieldSet

from dynconnect.schema.finding import Finding

EDITIONS = {998: "proto2", 999: "proto3", 1000: "2023", 1001: "2024"}
"""The editions that are released, by number (descriptor.proto, Edition)."""

_EDITION_FIELD = FileDescriptorProto.EDITION_FIELD_NUMBER
_IMPLEMENTATION = range(19000, 20000)
"""Numbers that the specification keeps for implementations."""


@dataclass(frozen=True, slots=True)
class _Element:
    """A field or enum value: what it is called, its number and its place in the file."""

    kind: str
    name: str
    number: int
    path: tuple[int, ...]


def check(proto: FileDescriptorProto) -> Iterator[Finding]:
    """A finding for each thing in *proto* that no compiler would have let pass."""
    yield from _check_edition(proto)
    prefix = f"{proto.package}." if proto.package else ""
    # Paths are those of SourceCodeInfo: field number and index, level by level.
    for index, message in enumerate(proto.message_type):
        yield from _check_message(proto, message, prefix, (proto.MESSAGE_TYPE_FIELD_NUMBER, index))
    for index, enum in enumerate(proto.enum_type):
        yield from _check_enum(proto, enum, prefix, (proto.ENUM_TYPE_FIELD_NUMBER, index))


def _check_edition(proto: FileDescriptorProto) -> Iterator[Finding]:
    edition: int | None = proto.edition if proto.HasField("edition") else _unknown_edition(proto)
    if edition is not None and edition not in EDITIONS:
        yield Finding(
            proto.name,
            f"is written in edition {edition}, which dynconnect does not know",
            f"it knows {', '.join(EDITIONS.values())}",
        )


def _unknown_edition(proto: FileDescriptorProto) -> int | None:
    # A number that this runtime's enum lacks is kept aside by the parser.
    unknown = UnknownFieldSet(proto)
    for index in range(len(unknown)):
        field = unknown[index]
        # As a number: damaged sets have anything there.
        if field.field_number == _EDITION_FIELD and isinstance(field.data, int):
            return field.data
    return None


def _check_message(
    proto: FileDescriptorProto, message: DescriptorProto, prefix: str, path: tuple[int, ...]
) -> Iterator[Finding]:
    name = prefix + message.name
    # Nearly all messages end here: a set has tens of thousands of fields.
    if (
        message.reserved_range
        or message.reserved_name
        or any(f.number in _IMPLEMENTATION for f in message.field)
    ):
        yield from _check_fields(proto, message, name, path)
    for index, nested in enumerate(message.nested_type):
        yield from _check_message(proto, nested, f"{name}.", (*path, message.NESTED_TYPE_FIELD_NUMBER, index))
    for index, enum in enumerate(message.enum_type):
        yield from _check_enum(proto, enum, f"{name}.", (*path, message.ENUM_TYPE_FIELD_NUMBER, index))


def _check_fields(
    proto: FileDescriptorProto, message: DescriptorProto, name: str, path: tuple[int, ...]
) -> Iterator[Finding]:
    """The findings for the fields of *message*, whose full name and place are *name* and *path*."""
    fields = [
        _Element("field", f"{name}.{field.name}", field.number, (*path, message.FIELD_FIELD_NUMBER, index))
        for index, field in enumerate(message.field)
    ]
    ranges = [range(reserved.start, reserved.end) for reserved in message.reserved_range]
    yield from _check_reserved(proto, fields, ranges, message.reserved_name)
    for field in fields:
        if field.number in _IMPLEMENTATION:
            yield _finding(proto, field, "which is kept for implementations of Protocol Buffers")


def _check_enum(
    proto: FileDescriptorProto, enum: EnumDescriptorProto, prefix: str, path: tuple[int, ...]
) -> Iterator[Finding]:
    if not (enum.reserved_range or enum.reserved_name):
        return
    name = prefix + enum.name
    values = [
        _Element("enum value", f"{name}.{value.name}", value.number, (*path, enum.VALUE_FIELD_NUMBER, index))
        for index, value in enumerate(enum.value)
    ]
    # Unlike a message's, an enum's reserved range includes its end.
    ranges = [range(reserved.start, reserved.end + 1) for reserved in enum.reserved_range]
    yield from _check_reserved(proto, values, ranges, enum.reserved_name)


def _check_reserved(
    proto: FileDescriptorProto, elements: Iterable[_Element], ranges: Sequence[range], names: Iterable[str]
) -> Iterator[Finding]:
    """The findings for *elements* whose number is in the reserved *ranges*, or their name in *names*."""
    reserved = frozenset(names)
    for element in elements:
        if any(element.number in taken for taken in ranges):
            yield _finding(proto, element, "which is reserved")
        if element.name.rpartition(".")[2] in reserved:
            yield _finding(proto, element, "and a name that is reserved")


def _finding(proto: FileDescriptorProto, element: _Element, why: str) -> Finding:
    """A finding about *element*, with its line where the set knows it."""
    line = _line(proto, element.path)
    where = f"{proto.name}:{line}" if line else proto.name
    return Finding(
        where,
        f"{element.kind} {element.name} has number {element.number}, {why}",
        "give it another number or name",
    )


def _line(proto: FileDescriptorProto, path: tuple[int, ...]) -> int:
    """The line of the element at *path*, from 1; 0 if the set was built without source info."""
    for location in proto.source_code_info.location:
        if tuple(location.path) == path:
            return int(location.span[0]) + 1
    return 0
