"""What bytes are: a descriptor set, or what else and what to do about it.

A set is cut by hand, not parsed: each file must keep its original bytes, because a parser that
knows fewer fields than the compiler wrote would hand back fewer.
Source: google/protobuf/descriptor.proto, FileDescriptorSet.
"""

from __future__ import annotations

import re

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError

COMPILE = (
    "compile it: buf build -o api.binpb, or protoc --include_imports --include_source_info -o api.binpb FILE"
)
"""What to do with anything that is not a set yet."""
AGAIN = "copy it again, or build it again"
"""What to do with a damaged one."""

# Field number and wire type, as they stand on the wire (length-delimited).
_FILE = 1 << 3 | 2
_SET_EXTENSION = 536000000 << 3 | 2  # the one extension that descriptor.proto declares for a set: buf's

# How a set begins: the tag and size of a file, the tag and size of its name, and the name.
_HEAD = re.compile(rb"\n[\x80-\xff]{0,4}[\x00-\x7f]\n[\x80-\xff]?[\x01-\x7f][^\x00-\x20]")
HEAD_BYTES = 16
"""How many bytes `is_head` needs at most."""

# What else a source may be, by its first bytes: a pattern, what it is, what to do.
_BINARY = "build the binary one: buf build -o api.binpb"
_TEXTS = [
    (rb"\s*[\[{]", "is JSON, not a binary descriptor set", _BINARY),
    (rb"\s*file\s*[:{]", "is a descriptor set in text format", _BINARY),
    (
        rb"\s*(//|/\*|(syntax|edition)\s*=|(package|import|option|message|service|enum)\s)",
        "is .proto source, not a descriptor set",
        f"let its name end in .proto, or {COMPILE}",
    ),
    (b"", "is text, not a descriptor set", COMPILE),
]
_BINARIES = [
    (rb"\x28\xb5\x2f\xfd", "is compressed with zstd", "decompress it, or compress it with gzip"),
    (_HEAD.pattern, "is truncated: a descriptor set that ends too early", AGAIN),
    (b"", "is not a descriptor set", COMPILE),
]
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


class NotASetError(Exception):
    """These bytes are no descriptor set.

    Args:
        what: what they are, as the rest of a sentence about their file.
        hint: what to do next.
    """

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint


def is_head(head: bytes) -> bool:
    """Whether *head*, the first bytes of a file, may begin a descriptor set."""
    return _HEAD.match(head) is not None


def files_of(data: bytes) -> tuple[bytes, ...]:
    """The FileDescriptorProtos of the descriptor set *data*, each in its original bytes.

    Raises:
        NotASetError: it is something else, or damaged.
    """
    if not data:
        raise NotASetError("is empty", "build it again")
    try:
        files = _cut(data)
    except ValueError:
        raise _diagnosis(data) from None
    for number, file in enumerate(files, 1):
        _check(file, number)
    return files


def _cut(data: bytes) -> tuple[bytes, ...]:
    """The files of a set; ValueError unless it is one from its first byte to its last."""
    files: list[bytes] = []
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        size, at = _varint(data, at)
        if tag not in (_FILE, _SET_EXTENSION) or size > len(data) - at:
            raise ValueError(at)
        if tag == _FILE:
            files.append(data[at : at + size])
        at += size
    if not files:
        raise ValueError(at)
    return tuple(files)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at *at* and the place after it (Protocol Buffers, "Encoding", Varints)."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError(at)
        number |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return number, at
    raise ValueError(at)


def _check(file: bytes, number: int) -> None:
    # Many byte strings parse as some message, with unknown fields only: a name tells a file.
    damaged = NotASetError(f"is damaged: file {number} of the set is not a FileDescriptorProto", AGAIN)
    try:
        proto = FileDescriptorProto.FromString(file)
    except DecodeError:
        raise damaged from None
    # What is no Unicode comes as bytes, as descriptor.proto is written in proto2.
    texts = (proto.name, proto.package, *proto.dependency, *proto.option_dependency)
    if any(isinstance(text, bytes) for text in texts):
        raise damaged
    if not proto.name:
        raise NotASetError(f"is not a descriptor set: its file {number} has no name", COMPILE)


def _diagnosis(data: bytes) -> NotASetError:
    start = data[:4096].removeprefix(b"\xef\xbb\xbf")
    # A set may begin like text, with a line feed for its tag and "{" for a size.
    others = _BINARIES if _CONTROL.search(start) else _TEXTS
    return next(NotASetError(what, hint) for pattern, what, hint in others if re.match(pattern, start))
