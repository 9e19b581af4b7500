"""Descriptor sets from descriptors made by hand: what no compiler would write."""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

from dynconnect.schema.sources import Source

STRING = FieldDescriptorProto.TYPE_STRING
OPTIONAL = FieldDescriptorProto.LABEL_OPTIONAL


def a_file(name: str, package: str = "t", *, syntax: str = "proto3", **fields: object) -> FileDescriptorProto:
    """A file with one message, ``M { string a = 1; }``."""
    file = FileDescriptorProto(name=name, package=package, syntax=syntax, **fields)
    file.message_type.add(name="M").field.add(name="a", number=1, type=STRING, label=OPTIONAL)
    return file


def a_chain(length: int) -> FileDescriptorProto:
    """Messages ``c.M0`` to ``c.M<length - 1>``, each with the one before as its field ``p``."""
    file = FileDescriptorProto(name="c.proto", package="c", syntax="proto3")
    for index in range(length):
        message = file.message_type.add(name=f"M{index}")
        if index:
            message.field.add(
                name="p",
                number=1,
                type=FieldDescriptorProto.TYPE_MESSAGE,
                label=OPTIONAL,
                type_name=f".c.M{index - 1}",
            )
    return file


def a_set(*files: FileDescriptorProto) -> bytes:
    """The set of *files*, in its binary form."""
    return FileDescriptorSet(file=files).SerializeToString()


def a_source(path: str, *files: FileDescriptorProto | bytes) -> Source:
    """*files*, parsed or in bytes, as if read from *path*."""
    return Source(path, tuple(f if isinstance(f, bytes) else f.SerializeToString() for f in files))
