"""Files: merging the files of all sources by import path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from dynconnect.schema.finding import Finding
from dynconnect.schema.sources import Source

# Fields of a file that list elements with names.
_NAMED = ("message_type", "enum_type", "service", "extension")


@dataclass(frozen=True, slots=True)
class File:
    """One file of a schema, while the schema is built.

    Attributes:
        data: the bytes that the compiler wrote.
        proto: the same, parsed; it may lack what this runtime does not know.
        origin: the source it came from.
    """

    data: bytes
    proto: FileDescriptorProto
    origin: str


def merge(sources: Iterable[Source], findings: list[Finding]) -> dict[str, File]:
    """The files of *sources* by import path; a file that comes twice is taken once.

    Two different files of one path are a finding each; the first of them is taken, so that the
    search goes on.
    """
    merged: dict[str, File] = {}
    for source in sources:
        for data in source.files:
            new = File(data, FileDescriptorProto.FromString(data), source.path)
            name = new.proto.name
            old = merged.setdefault(name, new)
            if old.data == new.data:
                continue
            if difference := _difference(old.proto, new.proto):
                findings.append(_clash(name, old.origin, new.origin, difference))
            else:
                merged[name] = max(old, new, key=_worth)
    return merged


def _worth(file: File) -> tuple[bool, bytes]:
    """What tells which of two equal files to keep: the one with comments, whichever came first."""
    return file.proto.HasField("source_code_info"), file.data


def _clash(name: str, first: str, second: str, difference: str) -> Finding:
    return Finding(
        name,
        f"differs between {first} and {second}: {difference}",
        "build both from the same sources, or leave one out",
    )


def _difference(one: FileDescriptorProto, other: FileDescriptorProto) -> str:
    """Where two files of one name differ, in a few words; empty if they declare the same.

    Comments do not count, nor does what a build tool notes beside the fields of descriptor.proto
    (buf's field 8042): sets of one schema by two tools are equal.
    """
    mine, theirs = _declared(one), _declared(other)
    for field in mine | theirs:
        if mine.get(field) == theirs.get(field):
            continue
        kind = field.removesuffix("_type").replace("_", " ")
        if field in _NAMED:
            left = {element.name: element for element in getattr(one, field)}
            right = {element.name: element for element in getattr(other, field)}
            names = sorted(n for n in left.keys() | right.keys() if left.get(n) != right.get(n))
            return f"{kind} {', '.join(names)}" if names else f"order of each {kind}"
        return kind
    return ""


def _declared(proto: FileDescriptorProto) -> dict[str, object]:
    return {field.name: value for field, value in proto.ListFields() if field.name != "source_code_info"}
