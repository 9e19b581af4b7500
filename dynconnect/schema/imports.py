"""Imports: completing what is missing, and putting files after what they import.

A pool takes a file only when its imports are there.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from dynconnect.schema.files import File
from dynconnect.schema.finding import Finding

DESCRIPTOR = "google/protobuf/descriptor.proto"
"""Always completed: it declares the classes in which custom options are read."""

FOLDERS = ("api", "cloud", "gapic", "logging", "longrunning", "protobuf", "rpc", "type")
"""In ``google/``, of protobuf and googleapis-common-protos: no other module is imported on a file's word."""

_INSTALLED = re.compile(rf"(google/(?:{'|'.join(FOLDERS)})/\w+(?:/\w+)*)\.proto")
# Its usual module pulls in grpc, 170 ms and 18 MiB.
_MODULES = {"google/longrunning/operations.proto": "google.longrunning.operations_proto_pb2"}


def complete(files: dict[str, File], findings: list[Finding]) -> None:
    """Add to *files* every import that is missing and installed, and theirs in turn.

    A finding for each file that is nowhere, with those that import it. Imports for options only may
    be absent: compilers leave them out of sets, and nothing but the reading of those options is lost.
    """
    wanted = [DESCRIPTOR, *(path for file in files.values() for path in imports_of(file.proto))]
    while wanted:
        path = wanted.pop()
        found = None if path in files else installed(path)
        if found is not None:
            files[path] = found
            wanted += found.proto.dependency
    findings += _missing(files)


def is_installed(path: str) -> bool:
    """Whether *path* belongs to protobuf or googleapis-common-protos, and they have it."""
    return installed(path) is not None


def installed(path: str) -> File | None:
    """The file of import path *path* from protobuf or googleapis-common-protos; None if they have none."""
    match = _INSTALLED.fullmatch(path)
    if match is None:
        return None
    module = _MODULES.get(path) or match[1].replace("/", ".") + "_pb2"
    try:
        data = importlib.import_module(module).DESCRIPTOR.serialized_pb
    except ImportError:
        return None
    return File(data, FileDescriptorProto.FromString(data), module)


def _missing(files: Mapping[str, File]) -> list[Finding]:
    """A finding for each import that *files* lack; weak ones too, as upb refuses a file without them."""
    importers: dict[str, list[str]] = {}
    for name, file in files.items():
        for path in file.proto.dependency:
            if path not in files:
                importers.setdefault(path, []).append(name)
    return [
        Finding(
            files[names[0]].origin,
            f"{path} is missing, which {', '.join(names)} import{'' if len(names) > 1 else 's'}",
            "build the set with its imports: buf build does, protoc needs --include_imports",
        )
        for path, names in sorted(importers.items())
    ]


def ordered(files: Mapping[str, File], findings: list[Finding]) -> list[str]:
    """The paths of *files*, each after its imports; a finding if some import each other."""
    graph = {
        name: [path for path in imports_of(files[name].proto) if path in files] for name in sorted(files)
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as exc:
        cycle = exc.args[1]
        findings.append(Finding(cycle[0], f"imports itself: {' → '.join(reversed(cycle))}"))
        # In any order: the rest is searched on.
        return list(graph)


def imports_of(proto: FileDescriptorProto) -> list[str]:
    """What *proto* imports: public and weak ones are among `dependency`, those for options are not."""
    return [*proto.dependency, *proto.option_dependency]
