"""What an edit of the schema breaks for those who call: old clients against the new server.

Only what the old schema serves is looked at: its methods and the types that they reach. Messages and enums
are compared by what they hold, as their names are not on the wire.
Source: Protocol Buffers, "Updating A Message Type" and "ProtoJSON Format"; the rules go by the names that
``buf breaking`` has for them, as far as it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    EnumValueDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, MethodOptions

from dynconnect.schema.schema import Schema
from dynconnect.schema.spelling import Element, map_entry, oneof_of, place_of, type_of

F = FieldDescriptor


class Level(Enum):
    """Whom a change breaks; each level's clients are broken by those before it too."""

    WIRE = "wire"
    """Every client: calls fail, or data is lost or misread."""
    JSON = "JSON"
    """Clients that speak JSON."""
    SOURCE = "source"
    """Programs that are compiled anew against the new schema."""


@dataclass(frozen=True, slots=True)
class Breaking:
    """One thing that breaks.

    Attributes:
        rule: its name, as in ``FIELD_SAME_TYPE``.
        element: the full name of what was changed.
        what: what became of it.
        where: ``path:line`` of it, in the new schema, or in the old one if it has gone.
    """

    level: Level
    rule: str
    element: str
    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {self.element} {self.what} (breaks {self.level.value})"


# Types of one row read each other on the wire.
_WIRE_ROWS = (
    (F.TYPE_INT32, F.TYPE_UINT32, F.TYPE_INT64, F.TYPE_UINT64, F.TYPE_BOOL, F.TYPE_ENUM),
    (F.TYPE_SINT32, F.TYPE_SINT64),
    (F.TYPE_FIXED32, F.TYPE_SFIXED32),
    (F.TYPE_FIXED64, F.TYPE_SFIXED64),
    (F.TYPE_STRING, F.TYPE_BYTES),
    (F.TYPE_MESSAGE,),
    (F.TYPE_GROUP,),
    (F.TYPE_FLOAT,),
    (F.TYPE_DOUBLE,),
)
# Types of one row are written alike in JSON; both kinds of integer are read from either form.
_JSON_ROWS = (
    (F.TYPE_INT32, F.TYPE_SINT32, F.TYPE_SFIXED32, F.TYPE_UINT32, F.TYPE_FIXED32),
    (F.TYPE_INT64, F.TYPE_SINT64, F.TYPE_SFIXED64, F.TYPE_UINT64, F.TYPE_FIXED64),
    (F.TYPE_FLOAT, F.TYPE_DOUBLE),
    (F.TYPE_MESSAGE, F.TYPE_GROUP),
    (F.TYPE_STRING,),
    (F.TYPE_BYTES,),
    (F.TYPE_BOOL,),
    (F.TYPE_ENUM,),
)
_WIRE = {kind: row for row in _WIRE_ROWS for kind in row}
_JSON = {kind: row for row in _JSON_ROWS for kind in row}


def breaking(old: Schema, new: Schema) -> tuple[Breaking, ...]:
    """Everything in *new* that breaks clients of *old*, in the order of the old schema's methods."""
    comparison = _Comparison(old, new)
    for name in old.services:
        comparison.service(name)
    comparison.types()
    return tuple(comparison.found)


class _Comparison:
    """Two schemas, what was found so far, and the types that are still to be compared."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self.found: list[Breaking] = []
        self._waiting: list[tuple[Descriptor | EnumDescriptor, Descriptor | EnumDescriptor]] = []
        self._seen: set[tuple[str, str]] = set()

    def service(self, name: str) -> None:
        """Compare the service *name* of the old schema."""
        before = _service(self._old, name)
        assert before is not None  # noqa: S101  it is one of the old schema's
        now = _service(self._new, name) if name in self._new.services else None
        if now is None:
            self._gone(Level.WIRE, "SERVICE_NO_DELETE", before, "is gone")
            return
        for method in before.methods:
            found = now.methods_by_name.get(method.name)
            if found is None:
                self._gone(Level.WIRE, "RPC_NO_DELETE", method, "is gone")
            else:
                self._method(method, found)

    def types(self) -> None:
        """Compare the types that were reached, and those that they reach."""
        while self._waiting:
            before, now = self._waiting.pop()
            if isinstance(before, Descriptor) and isinstance(now, Descriptor):
                self._message(before, now)
            elif isinstance(before, EnumDescriptor) and isinstance(now, EnumDescriptor):
                self._enum(before, now)

    def _add(self, level: Level, rule: str, old: Element, new: Element, what: str) -> None:
        file = self._new.files[_file(new)]
        self.found.append(Breaking(level, rule, _name(old), what, place_of(new, file)))

    def _gone(self, level: Level, rule: str, old: Element, what: str) -> None:
        file = self._old.files[_file(old)]
        self.found.append(Breaking(level, rule, _name(old), what, place_of(old, file)))

    def _method(self, old: MethodDescriptor, new: MethodDescriptor) -> None:
        for side in ("client", "server"):
            was, now = getattr(old, f"{side}_streaming"), getattr(new, f"{side}_streaming")
            if was != now:
                what = (
                    f"was {'a stream' if was else 'unary'} of the {side}'s side, and is none" if was else ""
                )
                what = what or f"is a stream of the {side}'s side, and was none"
                self._add(Level.WIRE, f"RPC_SAME_{side.upper()}_STREAMING", old, new, what)
        quiet = MethodOptions.NO_SIDE_EFFECTS
        if old.GetOptions().idempotency_level == quiet != new.GetOptions().idempotency_level:
            what = "has lost NO_SIDE_EFFECTS: Connect clients that GET it are refused"
            self._add(Level.WIRE, "RPC_SAME_IDEMPOTENCY_LEVEL", old, new, what)
        for rule, was, now in (
            ("RPC_SAME_REQUEST_TYPE", old.input_type, new.input_type),
            ("RPC_SAME_RESPONSE_TYPE", old.output_type, new.output_type),
        ):
            if was.full_name != now.full_name:
                what = f"has {now.full_name} where it had {was.full_name}"
                self._add(Level.SOURCE, rule, old, new, what)
            self._reach(was, now)

    def _reach(self, old: Descriptor | EnumDescriptor, new: Descriptor | EnumDescriptor) -> None:
        pair = (old.full_name, new.full_name)
        if pair not in self._seen:
            self._seen.add(pair)
            self._waiting.append((old, new))

    # --- messages -------------------------------------------------------------------------------------------

    def _message(self, old: Descriptor, new: Descriptor) -> None:
        now = new.fields_by_number
        for field in old.fields:
            found = now.get(field.number)
            if found is None:
                self._lost_field(field, new)
            else:
                self._field(field, found)
        known = old.fields_by_number
        for field in new.fields:
            if field.is_required and field.number not in known:
                self._add(
                    Level.WIRE, "MESSAGE_SAME_REQUIRED_FIELDS", old, field, f"must have {field.name} now"
                )

    def _lost_field(self, field: FieldDescriptor, new: Descriptor) -> None:
        proto = DescriptorProto()
        new.CopyToProto(proto)
        elsewhere = new.fields_by_name.get(field.name)
        if elsewhere is not None:
            what = f"has number {elsewhere.number}, and had {field.number}"
            self._add(Level.WIRE, "FIELD_SAME_NUMBER", field, elsewhere, what)
        elif not any(part.start <= field.number < part.end for part in proto.reserved_range):
            what = f"is gone, and its number {field.number} is not reserved"
            self._gone(Level.WIRE, "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED", field, what)
        elif field.name not in proto.reserved_name:
            what = "is gone, and its name is not reserved"
            self._gone(Level.JSON, "FIELD_NO_DELETE_UNLESS_NAME_RESERVED", field, what)
        else:
            self._gone(Level.SOURCE, "FIELD_NO_DELETE", field, "is gone")

    def _field(self, old: FieldDescriptor, new: FieldDescriptor) -> None:
        for level, rule, what in _field_faults(old, new):
            self._add(level, rule, old, new, what)
        if old.message_type is not None and new.message_type is not None:
            self._reach(old.message_type, new.message_type)
        elif old.enum_type is not None and new.enum_type is not None:
            self._reach(old.enum_type, new.enum_type)

    # --- enums ----------------------------------------------------------------------------------------------

    def _enum(self, old: EnumDescriptor, new: EnumDescriptor) -> None:
        if old.is_closed != new.is_closed:
            what = (
                "takes only the values that it declares, and took any" if new.is_closed else "takes any value"
            )
            self._add(Level.WIRE if new.is_closed else Level.SOURCE, "ENUM_SAME_TYPE", old, new, what)
        now: dict[int, set[str]] = {}
        for value in new.values:
            now.setdefault(value.number, set()).add(value.name)
        for value in old.values:
            names = now.get(value.number)
            if names is None:
                self._lost_value(old, value.number, value.name, new)
            elif value.name not in names:
                what = f"is {' or '.join(sorted(names))} now"
                self._add(Level.JSON, "ENUM_VALUE_SAME_NAME", value, new.values_by_number[value.number], what)

    def _lost_value(self, old: EnumDescriptor, number: int, name: str, new: EnumDescriptor) -> None:
        value = old.values_by_name[name]
        proto = EnumDescriptorProto()
        new.CopyToProto(proto)
        if name in new.values_by_name:
            what = f"has number {new.values_by_name[name].number}, and had {number}"
            self._add(Level.WIRE, "ENUM_VALUE_SAME_NUMBER", value, new.values_by_name[name], what)
        # Unlike those of messages, these ranges include their ends.
        elif not any(part.start <= number <= part.end for part in proto.reserved_range):
            what = f"is gone, and its number {number} is not reserved"
            self._gone(Level.WIRE, "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED", value, what)
        else:
            what = "is gone" if name in proto.reserved_name else "is gone, and its name is not reserved"
            self._gone(Level.JSON, "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED", value, what)


def _field_faults(old: FieldDescriptor, new: FieldDescriptor) -> Iterator[tuple[Level, str, str]]:
    """What breaks where *new* has the number of *old*: the level, the rule, and what became of it."""
    if old.name != new.name:
        yield Level.SOURCE, "FIELD_SAME_NAME", f"is {new.name} now"
    if old.json_name != new.json_name:
        yield Level.JSON, "FIELD_SAME_JSON_NAME", f"is {new.json_name!r} in JSON, and was {old.json_name!r}"
    if old.is_required != new.is_required:
        what = "must be there now" if new.is_required else "need not be there any more"
        yield Level.WIRE, "FIELD_SAME_CARDINALITY", what
    was, now = oneof_of(old), oneof_of(new)
    if was != now:
        what = f"is in the oneof {now} now" if now else f"is not in the oneof {was} any more"
        yield Level.WIRE, "FIELD_SAME_ONEOF", what
    level = _type_level(old, new)
    if level is not None:
        rule = "FIELD_SAME_TYPE" if old.is_repeated == new.is_repeated else "FIELD_SAME_CARDINALITY"
        yield level, rule, f"is {type_of(new)}, and was {type_of(old)}"
    elif (was, now) == (None, None) and old.has_presence != new.has_presence and not old.is_required:
        yield (
            Level.SOURCE,
            "FIELD_SAME_PRESENCE",
            f"{'knows' if new.has_presence else 'does not know'} whether it is set",
        )


def _type_level(old: FieldDescriptor, new: FieldDescriptor) -> Level | None:
    """Whom the type of *new* breaks; None if it is that of *old*, messages and enums by whatever name."""
    if old.is_repeated != new.is_repeated or _WIRE[old.type] != _WIRE[new.type]:
        return Level.WIRE
    if _JSON[old.type] != _JSON[new.type] or (map_entry(old) is None) != (map_entry(new) is None):
        return Level.JSON
    named = [field.message_type or field.enum_type for field in (old, new)]
    differ = old.type != new.type or (named[0] and named[0].full_name) != (named[1] and named[1].full_name)
    return Level.SOURCE if differ else None


def _service(schema: Schema, name: str) -> ServiceDescriptor | None:
    try:
        return schema.pool.FindServiceByName(name)
    except KeyError:
        return None


def _file(element: Element) -> str:
    """The import path of the file that *element* is in."""
    match element:
        case MethodDescriptor():
            return element.containing_service.file.name
        case EnumValueDescriptor():
            return element.type.file.name
        case FieldDescriptor():
            assert element.containing_type is not None  # noqa: S101  it is a field of a message
            return element.containing_type.file.name
    return element.file.name


def _name(element: Element) -> str:
    """The full name of *element*; protobuf puts enum values beside their enum, people into it."""
    if isinstance(element, EnumValueDescriptor):
        return f"{element.type.full_name}.{element.name}"
    return element.full_name
