"""How a .proto author writes what a descriptor says, and on which line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    EnumValueDescriptor,
    FieldDescriptor,
    FileDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

Named = Descriptor | FieldDescriptor | EnumDescriptor | ServiceDescriptor | MethodDescriptor
"""What has a full name of its own: protobuf puts enum values beside their enum, people into it."""
Element = Named | EnumValueDescriptor

_SCALARS = {
    int(number): name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()
}


def type_of(field: FieldDescriptor) -> str:
    """The type of *field*: ``string``, ``repeated Order``, ``map<string, Order>``; names have no package."""
    if (entry := map_entry(field)) is not None:
        return f"map<{', '.join(map(type_of, entry))}>"
    named = field.message_type or field.enum_type
    name = _SCALARS[field.type] if named is None else named.name
    return f"repeated {name}" if field.is_repeated else f"required {name}" if field.is_required else name


def map_entry(field: FieldDescriptor) -> tuple[FieldDescriptor, FieldDescriptor] | None:
    """Key and value of *field* if it is a map, which on the wire is a repeated message of the two."""
    entry = field.message_type
    if entry is None or not entry.GetOptions().map_entry:
        return None
    return entry.fields_by_name["key"], entry.fields_by_name["value"]


def oneof_of(field: FieldDescriptor) -> str | None:
    """The name of the oneof that *field* is in; one that only stands for ``optional`` is none."""
    oneof = field.containing_oneof
    if oneof is None or (len(oneof.fields) == 1 and oneof.name == f"_{field.name}"):
        return None
    name: str = oneof.name
    return name


def comments_of(file: FileDescriptor, data: bytes) -> Mapping[str, str]:
    """The comment at each element of *file*, by full name; *data* is its FileDescriptorProto.

    It is the one before it, or else the one behind it. Enum values go by their enum: ``package.Enum.VALUE``.
    """
    proto = FileDescriptorProto.FromString(data)
    texts = {
        tuple(location.path): location.leading_comments or location.trailing_comments
        for location in proto.source_code_info.location
        if location.leading_comments or location.trailing_comments
    }
    if not texts:
        return {}
    found = ((name, texts.get(tuple(_path(element)))) for name, element in _elements(file))
    return {name: text for name, text in found if text}


def _elements(file: FileDescriptor) -> Iterator[tuple[str, Element]]:
    """Messages, fields, enums, their values, services and methods of *file*, by the names above."""
    enums = list(file.enum_types_by_name.values())
    waiting: list[Descriptor] = list(file.message_types_by_name.values())
    for service in file.services_by_name.values():
        yield service.full_name, service
        yield from ((method.full_name, method) for method in service.methods)
    while waiting:
        message = waiting.pop()
        yield message.full_name, message
        yield from ((field.full_name, field) for field in message.fields)
        enums += message.enum_types
        waiting += message.nested_types
    for enum in enums:
        yield enum.full_name, enum
        yield from ((f"{enum.full_name}.{value.name}", value) for value in enum.values)


def place_of(element: Element, file: bytes) -> str:
    """``path:line`` of *element* in its *file*, which is a FileDescriptorProto; without source info the path.

    Source: google/protobuf/descriptor.proto, SourceCodeInfo.Location.path.
    """
    proto = FileDescriptorProto.FromString(file)
    path = _path(element)
    for location in proto.source_code_info.location:
        if location.path == path:
            return f"{proto.name}:{location.span[0] + 1}"
    return proto.name


def _path(element: Element) -> list[int]:
    """Field number and index in descriptor.proto, level by level, down to *element*."""
    match element:
        case FieldDescriptor():
            return _below(element.containing_type, DescriptorProto.FIELD_FIELD_NUMBER, element.index)
        case EnumValueDescriptor():
            return [*_path(element.type), EnumDescriptorProto.VALUE_FIELD_NUMBER, element.index]
        case MethodDescriptor():
            service = _path(element.containing_service)
            return [*service, ServiceDescriptorProto.METHOD_FIELD_NUMBER, element.index]
        case ServiceDescriptor():
            return [FileDescriptorProto.SERVICE_FIELD_NUMBER, element.index]
    # These do not know their index.
    outer = element.containing_type
    if isinstance(element, Descriptor):
        like = list(outer.nested_types_by_name if outer else element.file.message_types_by_name)
        nested, top = DescriptorProto.NESTED_TYPE_FIELD_NUMBER, FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER
    else:
        like = list(outer.enum_types_by_name if outer else element.file.enum_types_by_name)
        nested, top = DescriptorProto.ENUM_TYPE_FIELD_NUMBER, FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER
    return _below(outer, nested if outer else top, like.index(element.name))


def _below(outer: Descriptor | None, field: int, index: int) -> list[int]:
    return [*(_path(outer) if outer is not None else ()), field, index]
