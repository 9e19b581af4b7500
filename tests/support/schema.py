"""A schema without files: package `test.v1`, one message, one service with a method of each shape."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, MethodOptions

from dynconnect.live.generation import Generation, Route
from dynconnect.rpc.handler import Handler, Interceptor
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source

SERVICE = "test.v1.Notes"
UNARY = ("Echo", "Look", "Fail")
# name: whether the client streams, whether the server does
METHODS = {
    "Echo": (False, False),
    "Look": (False, False),
    "Fail": (False, False),
    "Count": (False, True),
    "Sum": (True, False),
    "Chat": (True, True),
}


def path(method: str) -> str:
    return f"/{SERVICE}/{method}"


@cache
def schema() -> Schema:
    """`Note`, and the service `Notes`, whose `Look` has no side effects."""
    file = FileDescriptorProto(name="test/v1/notes.proto", package="test.v1", syntax="proto3")
    note = file.message_type.add(name="Note")
    kinds = {
        "text": FieldDescriptorProto.TYPE_STRING,
        "number": FieldDescriptorProto.TYPE_INT32,
        "data": FieldDescriptorProto.TYPE_BYTES,
    }
    for number, (name, kind) in enumerate(kinds.items(), 1):
        note.field.add(name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
    service = file.service.add(name="Notes")
    for name, (client, server) in METHODS.items():
        method = service.method.add(name=name, client_streaming=client, server_streaming=server)
        method.input_type = method.output_type = ".test.v1.Note"
    service.method[1].options.idempotency_level = MethodOptions.NO_SIDE_EFFECTS
    return Schema([Source("notes.binpb", (file.SerializeToString(),))])


def note(text: str = "", **fields: object) -> object:
    return schema().message_class("test.v1.Note")(text=text, **fields)


def packed(text: str = "", **fields: object) -> bytes:
    """A `Note` in its binary form."""
    return note(text, **fields).SerializeToString(deterministic=True)


def unpacked(data: bytes) -> object:
    return schema().message_class("test.v1.Note").FromString(data)


def routes(handlers: Mapping[str, Handler], *interceptors: Interceptor) -> Mapping[str, Route]:
    """Every method of `Notes`, bound to what *handlers* has under its name."""
    found = {}
    for method in schema().services[SERVICE]:
        handler = handlers.get(method.name)
        bound_by = None if handler is None else f"test.py:1 {method.name}"
        found[method.path] = Route.to(handler, method, interceptors[::-1], schema().codecs, bound_by=bound_by)
    return MappingProxyType(found)


def generation(handlers: Mapping[str, Handler], *interceptors: Interceptor, number: int = 1) -> Generation:
    return Generation(number, f"hash {number}", schema(), routes(handlers, *interceptors), interceptors)
