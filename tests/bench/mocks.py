"""How long the made-up answers take: the slowest of all messages of googleapis-common-protos and protobuf.

python tests/bench/mocks.py [ROUNDS]
"""

# ruff: noqa: T201  a report

from __future__ import annotations

import random
import sys
import time
from importlib import import_module
from pathlib import Path

import google.rpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from dynconnect.schema.plausible import plausible
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source

WANTED = 50.0
"""Milliseconds that an answer may take."""


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    file = FileDescriptorProto(name="all.proto", syntax="proto3")
    for path in google.rpc.__path__:
        for module in sorted(Path(path).parent.glob("*/*_pb2.py")):
            file.dependency.append(
                import_module(f"google.{module.parent.name}.{module.stem}").DESCRIPTOR.name
            )
    schema = Schema([Source("all", (file.SerializeToString(),))])
    took = {}
    for path in schema.files:
        for message in schema.pool.FindFileByName(path).message_types_by_name.values():
            cls = schema.message_class(message.full_name)
            for seed in range(rounds):
                began = time.perf_counter()
                data = plausible(cls, random.Random(seed)).SerializeToString()  # noqa: S311  no secret
                spent = (time.perf_counter() - began) * 1000
                took[message.full_name] = max(took.get(message.full_name, (0, 0)), (spent, len(data)))
    for name, (spent, size) in sorted(took.items(), key=lambda item: item[1], reverse=True)[:5]:
        print(f"{spent:6.2f} ms {size:7} bytes  {name}")
    slow = [name for name, (spent, _) in took.items() if spent > WANTED]
    print(
        f"{len(took)} types, each {rounds} times: " + (f"too slow: {slow}" if slow else "all as it is to be")
    )


if __name__ == "__main__":
    main()
