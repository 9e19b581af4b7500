"""Made-up messages that look like real ones, by the names and the types of their fields."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from dynconnect.schema.json.fields import descriptor_of, is_map, key_and_value, message_of
from dynconnect.schema.json.scalars import is_null_value
from dynconnect.schema.json.wellknown import ANY
from dynconnect.schema.pool import flat_class

Make: TypeAlias = Callable[[random.Random, str], object]
"""From a source of chance and the name of a field to its value."""

MESSAGES_MAX = 150
"""How many messages may be in one, so that types which fan out stay small."""
DEPTH_MAX = 6
SAME_MAX = 1
"""How often a type may be inside itself."""

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_PEOPLE = ("Ada Lovelace", "Alan Turing", "Grace Hopper", "Edsger Dijkstra", "Barbara Liskov", "Donald Knuth")
_WORDS = ("amber", "basalt", "cedar", "dune", "ember", "fjord", "grove", "harbor", "islet", "juniper")
_CITIES = ("Lisbon", "Oslo", "Kyoto", "Montreal", "Nairobi", "Quito")
_STREETS = ("Elm Street", "Station Road", "Harbor Lane", "Mill Road")


def _id(chance: random.Random, name: str) -> str:
    stem = name.removesuffix("_id") if name != "id" else "id"
    return f"{stem.replace('_', '-')}-{chance.randrange(1000, 10000)}"


def _uuid(chance: random.Random, _name: str) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _first(chance: random.Random, _name: str) -> str:
    return chance.choice(_PEOPLE).split()[0]


def _email(chance: random.Random, _name: str) -> str:
    return f"{chance.choice(_PEOPLE).lower().replace(' ', '.')}@example.com"


def _moment(chance: random.Random) -> datetime:
    return _NOW + timedelta(seconds=chance.randrange(300 * 86400))


def _date(chance: random.Random, _name: str) -> str:
    return f"{_moment(chance):%Y-%m-%d}"


def _time(chance: random.Random, _name: str) -> str:
    return f"{_moment(chance):%Y-%m-%dT%H:%M:%SZ}"


def _sentence(chance: random.Random, _name: str) -> str:
    return f"The {chance.choice(_WORDS)} {chance.choice(_WORDS)} is by the {chance.choice(_WORDS)}."


def _of(*values: object) -> Make:
    return lambda chance, _name: chance.choice(values)


def _between(low: float, high: float) -> Make:
    return lambda chance, _name: chance.randrange(int(low), int(high) + 1)


# By the last words of a field's name; what is longer comes first.
_TEXTS: Mapping[str, Make] = {
    "uuid": _uuid,
    "guid": _uuid,
    "email": _email,
    "email_address": _email,
    "phone": lambda chance, _name: f"+1 555 01{chance.randrange(100):02d}",
    "phone_number": lambda chance, _name: f"+1 555 01{chance.randrange(100):02d}",
    "url": lambda chance, _name: f"https://example.com/{chance.choice(_WORDS)}",
    "uri": lambda chance, _name: f"https://example.com/{chance.choice(_WORDS)}",
    "link": lambda chance, _name: f"https://example.com/{chance.choice(_WORDS)}",
    "host": _of("db.example.com", "www.example.com"),
    "hostname": _of("db.example.com", "www.example.com"),
    "ip": lambda chance, _name: f"192.0.2.{chance.randrange(1, 255)}",
    "first_name": _first,
    "given_name": _first,
    "last_name": lambda chance, _name: chance.choice(_PEOPLE).split()[1],
    "family_name": lambda chance, _name: chance.choice(_PEOPLE).split()[1],
    "display_name": _of(*_PEOPLE),
    "user_name": lambda chance, _name: chance.choice(_PEOPLE).split()[0].lower(),
    "username": lambda chance, _name: chance.choice(_PEOPLE).split()[0].lower(),
    "author": _of(*_PEOPLE),
    "owner": _of(*_PEOPLE),
    "city": _of(*_CITIES),
    "street": lambda chance, _name: f"{chance.randrange(1, 99)} {chance.choice(_STREETS)}",
    "address": lambda chance, _name: f"{chance.randrange(1, 99)} {chance.choice(_STREETS)}",
    "zip": lambda chance, _name: f"{chance.randrange(10000, 99999)}",
    "postal_code": lambda chance, _name: f"{chance.randrange(10000, 99999)}",
    "country": _of("Portugal", "Norway", "Japan", "Canada"),
    "country_code": _of("PT", "NO", "JP", "CA"),
    "region_code": _of("PT", "NO", "JP", "CA"),
    "currency": _of("EUR", "USD", "JPY"),
    "currency_code": _of("EUR", "USD", "JPY"),
    "language": _of("en", "pt", "ja"),
    "language_code": _of("en-US", "pt-PT", "ja-JP"),
    "locale": _of("en-US", "pt-PT", "ja-JP"),
    "time_zone": _of("Europe/Lisbon", "Asia/Tokyo"),
    "color": lambda chance, _name: f"#{chance.getrandbits(24):06x}",
    "version": lambda chance, _name: f"1.{chance.randrange(10)}.{chance.randrange(10)}",
    "hash": lambda chance, _name: f"{chance.getrandbits(64):016x}",
    "etag": lambda chance, _name: f"{chance.getrandbits(64):016x}",
    "token": lambda chance, _name: f"{chance.getrandbits(96):024x}",
    "path": lambda chance, _name: f"/{chance.choice(_WORDS)}/{chance.choice(_WORDS)}",
    "date": _date,
    "day": _date,
    "time": _time,
    "at": _time,
    "description": _sentence,
    "text": _sentence,
    "message": _sentence,
    "comment": _sentence,
    "sentence": _sentence,
    "summary": _sentence,
    "body": _sentence,
    "id": _id,
}
_NUMBERS: Mapping[str, Make] = {
    "age": _between(18, 80),
    "year": _between(1990, 2026),
    "month": _between(1, 12),
    "day": _between(1, 28),
    "hour": _between(0, 23),
    "hours": _between(0, 23),
    "minute": _between(0, 59),
    "minutes": _between(0, 59),
    "second": _between(0, 59),
    "port": _between(1024, 9999),
    "nanos": lambda chance, _name: chance.randrange(100) * 10_000_000,
    "percent": _between(1, 100),
    "percentage": _between(1, 100),
    "count": _between(1, 20),
    "size": _between(1, 200),
    "quantity": _between(1, 9),
    "id": _between(1000, 9999),
}
_FRACTIONS: Mapping[str, Make] = {
    "latitude": lambda chance, _name: round(chance.uniform(-60, 60), 4),
    "longitude": lambda chance, _name: round(chance.uniform(-180, 180), 4),
    "ratio": lambda chance, _name: round(chance.random(), 2),
    "score": lambda chance, _name: round(chance.random(), 2),
    "probability": lambda chance, _name: round(chance.random(), 2),
}


def plausible(cls: type[Message], chance: random.Random, *, brief: bool = False) -> Message:
    """A message of *cls*, made up by *chance*: the same for the same seed.

    One that is *brief* has one of each list and map, and no type inside itself.
    """
    return _Maker(chance, brief=brief).message(descriptor_of(cls), cls)


def copy_alike(source: Message, target: Message) -> None:
    """Give *target* what *source*, of the same pool, has in fields of the same name and type."""
    fields = descriptor_of(target).fields_by_name
    for field, value in source.ListFields():
        other = fields.get(field.name)
        if other is None or field.is_extension or _kind(other) != _kind(field):
            continue
        if is_map(field):
            _copy_map(value, target, field)
        elif field.is_repeated:
            target.ClearField(field.name)
            getattr(target, field.name).extend(value)
        elif field.message_type is not None:
            getattr(target, field.name).CopyFrom(value)
        else:
            setattr(target, field.name, value)


def _copy_map(entries: Mapping[Any, Any], target: Message, field: FieldDescriptor) -> None:
    target.ClearField(field.name)
    held = getattr(target, field.name)
    for key, value in entries.items():
        if key_and_value(field)[1].message_type is None:
            held[key] = value
        else:
            held[key].CopyFrom(value)


def _kind(field: FieldDescriptor) -> tuple[object, ...]:
    if is_map(field):  # the entries of each map are a type of their own
        return (dict, *map(_kind, key_and_value(field)))
    named = field.message_type or field.enum_type
    return field.type, field.is_repeated, None if named is None else named.full_name


class _Maker:
    """Makes one message."""

    def __init__(self, chance: random.Random, *, brief: bool) -> None:
        self._chance = chance
        self._counts = (1, 1) if brief else (2, 3)
        self._same = 0 if brief else SAME_MAX
        self._left = MESSAGES_MAX
        self._inside: list[str] = []

    def message(self, descriptor: Descriptor, cls: type[Message] | None = None) -> Message:
        """A message of *descriptor*, of its class *cls* if that is at hand."""
        made: Any = (cls or flat_class(descriptor))()  # Any: its fields are known at run time alone
        special = _SPECIAL.get(descriptor.full_name)
        if special is not None:
            special(made, self._chance)
            return cast("Message", made)
        self._left -= 1
        self._inside.append(descriptor.full_name)
        chosen = {oneof.name: self._chance.choice(oneof.fields).name for oneof in descriptor.oneofs}
        for field in descriptor.fields:
            oneof = field.containing_oneof
            if oneof is None or chosen[oneof.name] == field.name:
                self._fill(made, field)
        self._inside.pop()
        return cast("Message", made)

    def _fill(self, made: Any, field: FieldDescriptor) -> None:
        if not (self._fits(field) or field.is_required):
            return
        if is_map(field):
            self._fill_map(made, field)
        elif field.is_repeated:
            count = self._chance.randint(*self._counts)
            getattr(made, field.name).extend([self._value(field) for _ in range(count)])
        elif field.message_type is not None:
            getattr(made, field.name).CopyFrom(self._value(field))
            getattr(made, field.name).SetInParent()
        else:
            setattr(made, field.name, self._value(field))

    def _fill_map(self, made: Any, field: FieldDescriptor) -> None:
        key_field, value_field = key_and_value(field)
        entries = getattr(made, field.name)
        for number in range(self._chance.randint(*self._counts)):
            key = _WORDS[number] if key_field.cpp_type == FieldDescriptor.CPPTYPE_STRING else number
            if key_field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
                key = number % 2 == 0
            if value_field.message_type is not None:
                entries[key].CopyFrom(self._value(value_field))
            else:
                entries[key] = self._value(value_field, field.name)

    def _fill_any(self, made: Any, field: FieldDescriptor) -> None:
        """Let *made* hold a message of the same file, whose type whoever reads *field* knows too."""
        types = cast("Descriptor", field.containing_type).file.message_types_by_name.values()
        fitting = [each for each in types if each.full_name not in self._inside]
        if fitting and self._left > 0 and len(self._inside) < DEPTH_MAX:
            held = self.message(self._chance.choice(fitting))
            made.type_url = f"type.googleapis.com/{descriptor_of(held).full_name}"
            made.value = held.SerializePartialToString(deterministic=True)

    def _fits(self, field: FieldDescriptor) -> bool:
        """Whether there is room for what *field* holds."""
        holder = field
        if is_map(field):
            holder = key_and_value(field)[1]
        if holder.message_type is None:
            return True
        nested = self._inside.count(message_of(holder).full_name)
        return self._left > 0 and len(self._inside) < DEPTH_MAX and nested <= self._same

    def _value(self, field: FieldDescriptor, name: str = "") -> Any:
        name = _singular(name or field.name, many=field.is_repeated)
        if field.message_type is not None:
            made = self.message(message_of(field))
            if field.message_type.full_name == ANY:
                self._fill_any(made, field)
            return made
        if field.enum_type is not None:
            values = field.enum_type.values
            said = [value for value in values if value.number] or values
            return 0 if is_null_value(field.enum_type) else self._chance.choice(said).number
        return _scalar(field, name, self._chance)


def _scalar(field: FieldDescriptor, name: str, chance: random.Random) -> object:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return chance.randbytes(8)
        case FieldDescriptor.CPPTYPE_STRING:
            return _by_name(_TEXTS, name, _of(*_WORDS))(chance, name)
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return _by_name(_FRACTIONS, name, lambda chance, _name: chance.randrange(100, 9999) / 4)(
                chance, name
            )
        case _:
            if name.endswith(_MOMENTS):
                seconds = int(_moment(chance).timestamp())
                return seconds if field.cpp_type in _NARROW else seconds * 1000
            return _by_name(_NUMBERS, name, _between(1, 100))(chance, name)


_MOMENTS = ("timestamp", "_at", "_time", "timestamp_ms", "_at_ms", "_time_ms", "_time_millis")
"""How the names of numbers end that stand for a moment."""
_NARROW = (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32)


def _by_name(makers: Mapping[str, Make], name: str, otherwise: Make) -> Make:
    """The maker of the longest of its last words that has one; *name* itself is all of them."""
    words = name.lower().split("_")
    for at in range(len(words)):
        found = makers.get("_".join(words[at:]))
        if found is not None:
            return found
    if words[-1] == "name" and makers is _TEXTS:
        return _of(*_PEOPLE) if words[0] in _PERSONAL else _of(*_WORDS)
    return otherwise


_PERSONAL = frozenset({"name", "customer", "user", "person", "contact", "full", "employee", "sender"})


def _singular(name: str, *, many: bool) -> str:
    return name.removesuffix("s") if many else name


def _nothing(_made: Any, _chance: random.Random) -> None:
    """Leave it as it is."""


def _struct(made: Any, chance: random.Random) -> None:
    made.update({chance.choice(_WORDS): True, "count": chance.randrange(10)})


def _value_of(made: Any, chance: random.Random) -> None:
    made.string_value = chance.choice(_WORDS)


def _list(made: Any, chance: random.Random) -> None:
    made.extend([chance.choice(_WORDS), chance.randrange(10)])


def _timestamp(made: Any, chance: random.Random) -> None:
    made.FromDatetime(_moment(chance))


def _duration(made: Any, chance: random.Random) -> None:
    made.seconds = chance.randrange(1, 600)


def _mask(made: Any, _chance: random.Random) -> None:
    made.paths.append("name")


_PACKAGE = "google.protobuf."
_SPECIAL: Mapping[str, Callable[[Any, random.Random], None]] = {
    ANY: _nothing,
    f"{_PACKAGE}Struct": _struct,
    f"{_PACKAGE}Value": _value_of,
    f"{_PACKAGE}ListValue": _list,
    f"{_PACKAGE}Timestamp": _timestamp,
    f"{_PACKAGE}Duration": _duration,
    f"{_PACKAGE}FieldMask": _mask,
}
"""What has a form of its own, which must be valid to be written as JSON."""
