"""The service that every server of the benchmarks serves, and its messages."""

from __future__ import annotations

import sys
from pathlib import Path

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from support.protoc import compile_set  # noqa: E402  found on the path above

PROTO = HERE / "bench.proto"
SERVICE = "bench.v1.Bench"
REPEATED = 1000
"""How many messages `Repeat` answers."""


def compiled() -> bytes:
    """The descriptor set."""
    return compile_set({PROTO.name: PROTO.read_text()})


def note_class() -> type:
    """Google's class of `Note`, as generated code would have it."""
    found = message_factory.GetMessages(FileDescriptorSet.FromString(compiled()).file)
    return found["bench.v1.Note"]
