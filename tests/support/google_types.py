"""All that googleapis-common-protos and protobuf declare, as one schema."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import google.rpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source


def common() -> tuple[Schema, list[str]]:
    """The schema, and the full names of its messages, without nested ones."""
    file = FileDescriptorProto(name="all.proto", package="all", syntax="proto3")
    for path in google.rpc.__path__:
        for module in sorted(Path(path).parent.glob("*/*_pb2.py")):
            found = import_module(f"google.{module.parent.name}.{module.stem}")
            file.dependency.append(found.DESCRIPTOR.name)
    schema = Schema([Source("common.binpb", (file.SerializeToString(),))])
    files = map(schema.pool.FindFileByName, schema.files)
    return schema, [each.full_name for found in files for each in found.message_types_by_name.values()]
