"""What both ways need to know of fields and types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from dynconnect.schema.json.errors import JsonError

FindClass: TypeAlias = Callable[[str], type[Message] | None]
"""From the full name of a message to its class; None if there is none."""


def descriptor_of(message: Message | type[Message]) -> Descriptor:
    """The descriptor of *message*."""
    return cast("Descriptor", message.DESCRIPTOR)


def message_of(field: FieldDescriptor) -> Descriptor:
    """The type of the messages that *field* holds."""
    return cast("Descriptor", field.message_type)


def enum_of(field: FieldDescriptor) -> EnumDescriptor:
    """The type of the enums that *field* holds."""
    return cast("EnumDescriptor", field.enum_type)


def extensions_of(message: Message) -> Any:  # Any: the stubs know extensions of generated code alone
    """The extensions of *message*, by their descriptors."""
    return message.Extensions


def is_map(field: FieldDescriptor) -> bool:
    """Whether *field* is a map."""
    entry = field.message_type
    return entry is not None and field.is_repeated and entry.GetOptions().map_entry


def key_and_value(field: FieldDescriptor) -> tuple[FieldDescriptor, FieldDescriptor]:
    """The fields of an entry of the map *field*."""
    numbers = message_of(field).fields_by_number
    return numbers[1], numbers[2]


def type_name(url: str) -> str:
    """The full name in a type URL, whatever stands before its last slash."""
    return url.rpartition("/")[2]


def any_type(find_class: FindClass, url: str) -> type[Message]:
    """The class that the type URL of an Any names.

    Raises:
        JsonError: there is none.
    """
    name = type_name(url)
    cls = find_class(name)
    if cls is None:
        raise JsonError(f"there is no message {name} in the schema")
    return cls


def may_lack(descriptor: Descriptor) -> bool:
    """Whether a message of *descriptor* may lack a required field, its own or of a message in it."""
    return any(
        message.is_extendable or any(field.is_required for field in message.fields)
        for message in reachable(descriptor)
    )


def reachable(descriptor: Descriptor, seen: set[Descriptor] | None = None) -> Iterator[Descriptor]:
    """*descriptor*, and the types of all messages in it, without those that are in *seen*, which grows."""
    seen = set() if seen is None else seen
    waiting = [descriptor]
    while waiting:
        message = waiting.pop()
        if message not in seen:
            seen.add(message)
            yield message
            waiting += [message_of(field) for field in message.fields if field.message_type is not None]
