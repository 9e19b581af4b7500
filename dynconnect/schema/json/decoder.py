"""From JSON values to messages: a table of fields for each type, and one call of a constructor for the whole.

A reader turns an object into the arguments of the constructor, objects in it into theirs, and so on; so the
tree of messages is built in C. It does so in place: most members are already what the constructor takes, and
stay. Only types with extensions in the document are made one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from dynconnect.schema.finding import nearest
from dynconnect.schema.json.errors import JsonError, expected, quoted
from dynconnect.schema.json.fields import (
    FindClass,
    any_type,
    descriptor_of,
    extensions_of,
    is_map,
    key_and_value,
    message_of,
)
from dynconnect.schema.json.options import JsonOptions
from dynconnect.schema.json.scalars import SKIP, Read, is_null_value, reader_of
from dynconnect.schema.json.wellknown import ANY, BARE, DEPTH_MAX, READ, STRUCT, VALUE, WRAPPERS
from dynconnect.schema.pool import flat_class

_NEAREST_MAX = 500
"""Among so many names at most the nearest is looked for."""

_Groups: TypeAlias = Sequence[tuple[str, frozenset[str]]]
"""The name of each oneof, and those of its fields."""


class _Entry(NamedTuple):
    """What a table knows of a field. Readers take it apart: that is faster than to ask for attributes.

    Attributes:
        name: its argument of the constructor.
        fits: the type of values that are taken as they are; None if there is none.
        read: what becomes of the others.
        takes_null: whether null is a value of it, and not the lack of one.
    """

    name: str
    fits: type | None
    read: Read
    takes_null: bool


_IGNORED = _Entry("", None, lambda _value, _depth: SKIP, takes_null=False)
"""What a table has for a member that is no field."""


class Decoder:
    """Reads messages of any pool.

    Args:
        find_class: finds the types of Any.
    """

    def __init__(self, find_class: FindClass, options: JsonOptions) -> None:
        self._find_class = find_class
        self._strict = options.strict
        self._skips = options.skip_unknown_enums and not options.strict
        self._reads: dict[Descriptor, Read] = {}
        self._roots: dict[type[Message], Read] = {}
        self._extensions: dict[FieldDescriptor, _Entry] = {}

    def message(self, value: object, cls: type[Message], depth: int = 0) -> Message:
        """The *cls* that *value* is, at *depth* below the first message; *value* is used up.

        Raises:
            JsonError: it is none.
        """
        read = self._roots.get(cls)
        if read is None:
            read = self._roots[cls] = self._root(cls)
        return _built(cls, read(value, depth))

    def _root(self, cls: type[Message]) -> Read:
        read = self.of(descriptor_of(cls))
        if descriptor_of(cls).full_name != STRUCT:
            return read
        return lambda value, depth: _struct(cls, read(value, depth))

    def of(self, descriptor: Descriptor) -> Read:
        """What reads messages of *descriptor*; it gives what `_built` takes, and raises JsonError."""
        read = self._reads.get(descriptor)
        if read is None:
            read = self._reads[descriptor] = self._compile(descriptor)
        return read

    def _compile(self, descriptor: Descriptor) -> Read:
        name = descriptor.full_name
        if name in READ:
            return READ[name]
        if name in WRAPPERS:
            return self._wrapper(descriptor)
        if name == ANY:
            return self._any
        return self._object(descriptor)

    def _object(self, descriptor: Descriptor) -> Read:
        table: dict[str, _Entry] = {}
        for field in descriptor.fields:
            table[field.name] = table[field.json_name] = self._entry(field)
        read = _object_reader(table, _groups(descriptor))
        if not (self._strict or descriptor.is_extendable):
            return read

        def read_all(value: Any, depth: int) -> Any:  # Any: arguments, or a message
            extensions: list[tuple[str, FieldDescriptor, Any]] = []
            for key in value if type(value) is dict else ():
                if key not in table:
                    extension = _extension(descriptor, key)
                    if extension is not None:
                        extensions.append((key, extension, value[key]))
                    elif self._strict:
                        raise _unknown(descriptor, key, table)
            found = read(value, depth)
            return self._extended(descriptor, found, extensions, depth) if extensions else found

        return read_all

    def _entry(self, field: FieldDescriptor) -> _Entry:
        if is_map(field):
            return _Entry(field.name, None, self._map(field), takes_null=False)
        fits, read = self._one(field)
        if field.is_repeated:
            return _Entry(field.name, None, self._list(field, fits, read), takes_null=False)
        return _Entry(field.name, fits, read, _takes_null(field))

    def _one(self, field: FieldDescriptor) -> tuple[type | None, Read]:
        """The type of values of *field* that are taken as they are, and what reads the others."""
        if field.message_type is None:
            return reader_of(field, skip_unknown=self._skips)
        descriptor = message_of(field)
        if descriptor.full_name in READ:
            return None, READ[descriptor.full_name]
        reads = self._reads
        # Looked up when it is used: types are recursive.
        return None, lambda value, depth: (reads.get(descriptor) or self.of(descriptor))(value, depth)

    def _list(self, field: FieldDescriptor, fits: type | None, read: Read) -> Read:
        takes_null, skips = _takes_null(field), self._skips and field.enum_type is not None

        def read_list(value: Any, depth: int) -> list[Any]:
            """The elements, each at the depth of the array: it is no message."""
            if type(value) is not list:
                raise expected("an array", value)
            index = 0
            try:
                for index, inner in enumerate(value):
                    if type(inner) is not fits:
                        if inner is None and not takes_null:
                            raise JsonError("null can't be in an array")
                        value[index] = read(inner, depth)
            except JsonError as error:
                raise error.within(index) from None
            return [one for one in value if one is not SKIP] if skips else value

        return read_list

    def _map(self, field: FieldDescriptor) -> Read:
        key_field, value_field = key_and_value(field)
        fits, read = self._one(value_field)
        takes_null, read_key = _takes_null(value_field), _key_reader(key_field)
        skips = self._skips and value_field.enum_type is not None

        def read_map(value: Any, depth: int) -> dict[Any, Any]:
            """The entries, whose keys are the members' names, read as values of their own type."""
            if type(value) is not dict:
                raise expected("an object", value)
            found: dict[Any, Any] = value if read_key is None else {}
            for key, inner in value.items():
                try:
                    name = key if read_key is None else read_key(key, depth)
                    if type(inner) is not fits:
                        if inner is None and not takes_null:
                            raise JsonError("null can't be in a map")
                        inner = read(inner, depth)
                except JsonError as error:
                    error.of_name |= read_key is not None and _fails(read_key, key, depth)
                    raise error.within(key, of_map=True) from None
                found[name] = inner
            if len(found) != len(value):
                raise JsonError("a map has the same key twice")
            return {key: inner for key, inner in found.items() if inner is not SKIP} if skips else found

        return read_map

    def _wrapper(self, descriptor: Descriptor) -> Read:
        fits, read = self._one(descriptor.fields[0])
        return lambda value, depth: {"value": value if type(value) is fits else read(value, depth)}

    def _any(self, value: Any, depth: int) -> Mapping[str, Any]:
        if type(value) is not dict or depth > DEPTH_MAX:
            raise _no_object(value)
        if not value:
            return {}
        url = value.get("@type")
        if type(url) is not str:
            raise JsonError("an Any needs @type, the name of its type")
        cls = any_type(self._find_class, url)
        if cls.DESCRIPTOR.full_name in BARE:
            if "value" not in value:
                raise JsonError(f"an Any with {cls.DESCRIPTOR.full_name} needs value")
            inner = value["value"]
        else:
            inner = {key: one for key, one in value.items() if key != "@type"}
        message = self.message(inner, cls, depth + 1)
        if not message.IsInitialized():
            raise JsonError(f"the {cls.DESCRIPTOR.full_name} in an Any lacks required fields")
        return {"type_url": url, "value": message.SerializeToString(deterministic=True)}

    def _extended(
        self,
        descriptor: Descriptor,
        found: Mapping[str, Any],
        extensions: Iterable[tuple[str, FieldDescriptor, Any]],
        depth: int,
    ) -> Message:
        """The message of the arguments *found*, with *extensions* by their members' names and values."""
        message = _built(flat_class(descriptor), found)
        for key, extension, inner in extensions:
            entry = self._extension_entry(extension)
            if inner is None and not entry.takes_null:
                continue
            try:
                read = inner if type(inner) is entry.fits else entry.read(inner, depth + 1)
            except JsonError as error:
                raise error.within(key) from None
            if read is not SKIP:
                _set_extension(message, extension, read)
        return message

    def _extension_entry(self, extension: FieldDescriptor) -> _Entry:
        entry = self._extensions.get(extension)
        if entry is None:
            entry = self._extensions[extension] = self._entry(extension)
        return entry


def _object_reader(table: Mapping[str, _Entry], groups: _Groups) -> Read:
    """Reads the fields of *table*, of which those of each of *groups* exclude each other."""
    ready = {key: entry.fits for key, entry in table.items() if key == entry.name}

    def read_object(value: Any, depth: int) -> dict[str, Any]:
        """The arguments of a constructor; members that are no fields, and null, are left out."""
        if type(value) is not dict or depth > DEPTH_MAX:
            raise _no_object(value)
        moved: list[tuple[str, str, Any]] = []
        for key, inner in value.items():
            if ready.get(key) is type(inner):
                continue
            name, fits, read, takes_null = table.get(key, _IGNORED)
            if type(inner) is not fits:
                try:
                    inner = SKIP if inner is None and not takes_null else read(inner, depth + 1)
                except JsonError as error:
                    raise error.within(key) from None
            if name == key and inner is not SKIP:
                value[key] = inner
            else:
                moved.append((key, name, inner))
        if moved:
            _move(value, moved)
        if groups:
            _check_groups(groups, value)
        return value

    return read_object


def _move(members: dict[str, Any], moved: Iterable[tuple[str, str, Any]]) -> None:
    """Give those of *members* that are *moved* the names of their fields; those to be skipped go."""
    for key, _, _ in moved:
        del members[key]
    for _, name, inner in moved:
        if inner is not SKIP:
            if name in members:
                raise JsonError("a field is given by both of its names")
            members[name] = inner


def _no_object(value: object) -> JsonError:
    return JsonError("nested too deep") if type(value) is dict else expected("an object", value)


def _groups(descriptor: Descriptor) -> _Groups:
    oneofs = [oneof for oneof in descriptor.oneofs if len(oneof.fields) > 1]
    return [(oneof.name, frozenset(field.name for field in oneof.fields)) for oneof in oneofs]


def _check_groups(groups: _Groups, members: Mapping[str, Any]) -> None:
    for oneof, names in groups:
        if len(names & members.keys()) > 1:
            raise JsonError(f"more than one field of oneof {oneof} is given")


def _built(cls: type[Message], read: Any) -> Message:  # Any: what a reader gives
    if type(read) is not dict:
        return cast("Message", read)
    try:
        return cls(**read)
    except (TypeError, ValueError) as error:
        raise JsonError(str(error)) from None


def _struct(cls: type[Message], read: Mapping[str, Any]) -> Message:  # Any: values of JSON
    """The Struct with the members *read*, which would be no arguments of its constructor."""
    message = cls()
    message.update(read)  # type: ignore[attr-defined]  # a Struct has it
    return message


def _set_extension(message: Message, extension: FieldDescriptor, read: Any) -> None:  # Any: as above
    held = extensions_of(message)
    if extension.message_type is None:
        if extension.is_repeated:
            held[extension].extend(read)
        else:
            held[extension] = read
        return
    cls = flat_class(message_of(extension))
    build = _struct if message_of(extension).full_name == STRUCT else _built
    if extension.is_repeated:
        held[extension].extend([build(cls, one) for one in read])
    else:
        held[extension].CopyFrom(build(cls, read))
        held[extension].SetInParent()


def _extension(descriptor: Descriptor, key: str) -> FieldDescriptor | None:
    """The extension of *descriptor* that ``[its.name]`` names, in its own pool."""
    if not (descriptor.is_extendable and key.endswith("]")):
        return None
    try:
        extension = descriptor.file.pool.FindExtensionByName(key[1:-1])
    except KeyError:
        return None
    return extension if extension.containing_type is descriptor else None


def _takes_null(field: FieldDescriptor) -> bool:
    message = field.message_type
    return is_null_value(field.enum_type) or (message is not None and message.full_name == VALUE)


def _key_reader(field: FieldDescriptor) -> Read | None:
    """What reads the keys of a map; None if they are taken as they are."""
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return None
        case FieldDescriptor.CPPTYPE_BOOL:
            return _read_bool_key
    return reader_of(field, skip_unknown=False)[1]


def _fails(read: Read, value: Any, depth: int) -> bool:
    try:
        read(value, depth)
    except JsonError:
        return True
    return False


def _read_bool_key(value: Any, _depth: int) -> bool:
    if value not in ("true", "false"):
        raise expected('"true" or "false"', value)
    return bool(value == "true")


def _unknown(descriptor: Descriptor, key: str, known: Mapping[str, object]) -> JsonError:
    text = f"{descriptor.full_name} has no field {quoted(key)}"
    close = nearest(key, known) if len(known) <= _NEAREST_MAX else None
    return JsonError(f"{text}; did you mean {close}?" if close else text, key)
