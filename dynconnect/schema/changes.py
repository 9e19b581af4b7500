"""What an edit changed in a schema, in the words of the person who made it.

Only files whose bytes differ are looked at. Nothing here judges: what breaks for callers, `breaking` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions

from dynconnect.schema.schema import Schema
from dynconnect.schema.spelling import oneof_of, type_of


@dataclass(frozen=True, slots=True)
class _Element:
    """What can be added, removed or changed.

    Attributes:
        owner: the full name of the message, enum or service that it is in; empty for one at the top.
        key: what makes it the same element although its name is another: a field's number.
        kind: what to call it beside its name, if its name does not say it.
        text: what it declares.
    """

    name: str
    owner: str
    key: str
    kind: str
    text: str


def changes(old: Schema, new: Schema) -> tuple[str, ...]:
    """Each thing that differs between two schemas: ``+ SayRequest.lang (3, string)``, ``- Converse``.

    Elements go by the last parts of their names, and by the whole where two of those would be the same. A
    file that differs in nothing of that says what it differs in.
    """
    before, after = dict(old.files), dict(new.files)
    paths = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    same = {path: _same(before.get(path, b""), after.get(path, b"")) for path in paths}
    one = {p: _elements(old.pool.FindFileByName(p), same[p]) if p in before else {} for p in paths}
    other = {p: _elements(new.pool.FindFileByName(p), same[p]) if p in after else {} for p in paths}
    # All files at once: an element that moves from one to another is the same one.
    found = list(_compare(_joined(one), _joined(other)))
    short = Counter(map(_short, {element.name: element for _, element, _ in found}.values()))
    lines = [_line(sign, element, text, short) for sign, element, text in found]
    alike = [path for path in paths if path in before and path in after and one[path] == other[path]]
    return (*lines, *(_other_change(path, before[path], after[path]) for path in alike))


def _same(before: bytes, after: bytes) -> frozenset[str]:
    """The messages and enums that two versions of a file have in common, to the letter: most, as a rule."""
    one, other = (_texts(FileDescriptorProto.FromString(data)) for data in (before, after))
    return frozenset(name for name, text in other.items() if one.get(name) == text)


def _texts(file: FileDescriptorProto) -> dict[str, bytes]:
    found = {part.name: part.SerializeToString(deterministic=True) for part in file.message_type}
    return found | {part.name: part.SerializeToString(deterministic=True) for part in file.enum_type}


def _joined(files: Mapping[str, Mapping[str, _Element]]) -> Mapping[str, _Element]:
    return {name: element for elements in files.values() for name, element in elements.items()}


def _compare(
    before: Mapping[str, _Element], after: Mapping[str, _Element]
) -> Iterator[tuple[str, _Element, str]]:
    """A sign, an element and what is to be said of it, for each that differs."""
    renamed = dict(_renamed(before, after))
    for name, element in before.items():
        now = after.get(name)
        if name in renamed:
            yield "~", element, f"→ {renamed[name].name.rpartition('.')[2]} ({renamed[name].text})"
        elif now is None:
            # What is in something that has gone, goes without saying.
            if element.owner not in before or element.owner in after:
                yield "-", element, ""
        elif now.text != element.text:
            yield "~", element, f"({now.text}; was {element.text})"
    known = {element.name for element in renamed.values()}
    for name, element in after.items():
        is_new = name not in before and name not in known
        if is_new and (element.owner not in after or element.owner in before):
            yield "+", element, f"({element.text})" if element.text else ""


def _renamed(before: Mapping[str, _Element], after: Mapping[str, _Element]) -> Iterator[tuple[str, _Element]]:
    """The old name, and the new element, of fields and values that kept their number."""
    fresh = {(e.owner, e.key): e for name, e in after.items() if e.key and name not in before}
    for name, element in before.items():
        if element.key and name not in after and (element.owner, element.key) in fresh:
            yield name, fresh[element.owner, element.key]


def _line(sign: str, element: _Element, text: str, short: Mapping[str, int]) -> str:
    name = _short(element)
    name = element.name if short[name] > 1 else name
    return " ".join(part for part in (sign, element.kind, name, text) if part)


def _short(element: _Element) -> str:
    """The name without its package; of a field or value with its message or enum."""
    name = element.name.rpartition(".")[2]
    return f"{element.owner.rpartition('.')[2]}.{name}" if element.key else name


def _elements(file: FileDescriptor, same: frozenset[str]) -> Mapping[str, _Element]:
    """All that *file* declares, by full name, but the messages and enums that are the *same* anyway."""
    found: list[_Element] = []
    for name, message in file.message_types_by_name.items():
        found += _of_message(message, "") if name not in same else ()
    for name, enum in file.enum_types_by_name.items():
        found += _of_enum(enum, "") if name not in same else ()
    for service in file.services_by_name.values():
        found.append(_Element(service.full_name, "", "", "service", ""))
        found += (
            _Element(method.full_name, service.full_name, "", "", _of_method(method))
            for method in service.methods
        )
    return {element.name: element for element in found}


def _of_message(message: Descriptor, owner: str) -> Iterator[_Element]:
    yield _Element(message.full_name, owner, "", "message", "")
    for field in message.fields:
        oneof = oneof_of(field)
        optional = "optional " if oneof is None and field.containing_oneof is not None else ""
        text = f"{field.number}, {optional}{type_of(field)}" + (f", oneof {oneof}" if oneof else "")
        yield _Element(field.full_name, message.full_name, str(field.number), "", text)
    for nested in message.nested_types:
        if not nested.GetOptions().map_entry:
            yield from _of_message(nested, message.full_name)
    for enum in message.enum_types:
        yield from _of_enum(enum, message.full_name)


def _of_enum(enum: EnumDescriptor, owner: str) -> Iterator[_Element]:
    yield _Element(enum.full_name, owner, "", "enum", "")
    for value in enum.values:
        name = f"{enum.full_name}.{value.name}"
        yield _Element(name, enum.full_name, str(value.number), "", str(value.number))


def _of_method(method: MethodDescriptor) -> str:
    takes = "stream " * method.client_streaming + method.input_type.name
    returns = "stream " * method.server_streaming + method.output_type.name
    options = method.GetOptions()
    marks = [f"{takes} → {returns}"]
    if options.idempotency_level:
        marks.append(MethodOptions.IdempotencyLevel.Name(options.idempotency_level).lower())
    if options.deprecated:
        marks.append("deprecated")
    return ", ".join(marks)


def _other_change(path: str, before: bytes, after: bytes) -> str:
    """What differs in two files that declare the same."""
    one, other = FileDescriptorProto.FromString(before), FileDescriptorProto.FromString(after)
    one.ClearField("source_code_info")
    other.ClearField("source_code_info")
    same = one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)
    return f"{path}: comments" if same else f"{path}: options or order"
