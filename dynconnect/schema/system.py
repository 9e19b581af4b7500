"""The files of the system schema: health, reflection, and the messages of errors.

They come from the packages that ship them, whose descriptor modules need no ``import grpc``: that
would cost 170 ms and 18 MiB.
"""

from __future__ import annotations

from importlib import import_module

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from dynconnect.schema.sources import Source

# Module, and the import path that the file has everywhere but in that package.
_FILES = {
    "google.rpc.code_pb2": "google/rpc/code.proto",
    "google.rpc.error_details_pb2": "google/rpc/error_details.proto",
    "google.rpc.status_pb2": "google/rpc/status.proto",
    "grpc_health.v1.health_pb2": "grpc/health/v1/health.proto",
    "grpc_reflection.v1alpha.reflection_pb2": "grpc/reflection/v1alpha/reflection.proto",
}


def sources() -> list[Source]:
    """The sources of the system schema; they import what they need at the first call."""
    found = [Source(module, (_renamed(module, path),)) for module, path in _FILES.items()]
    alpha = found[-1]
    return [*found, Source(alpha.path, (_v1(alpha.files[0]),))]


def _renamed(module: str, path: str) -> bytes:
    file = FileDescriptorProto.FromString(import_module(module).DESCRIPTOR.serialized_pb)
    file.name = path
    return file.SerializeToString(deterministic=True)


def _v1(alpha: bytes) -> bytes:
    """Reflection v1: no package ships it, and it is v1alpha under another name."""
    file = FileDescriptorProto.FromString(alpha)
    old, new = f".{file.package}.", ".grpc.reflection.v1."
    for option, value in file.options.ListFields():
        if isinstance(value, str):
            setattr(file.options, option.name, value.replace("v1alpha", "v1"))
    file.name, file.package = "grpc/reflection/v1/reflection.proto", "grpc.reflection.v1"
    for message in file.message_type:
        for field in message.field:
            # To set it at all, to nothing even, says that the field has a type by name.
            if field.type_name:
                field.type_name = field.type_name.replace(old, new)
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(old, new)
        method.output_type = method.output_type.replace(old, new)
    return file.SerializeToString(deterministic=True)
