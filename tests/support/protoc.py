"""Descriptor sets from .proto text, by the protoc of grpcio-tools."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import google
import grpc_tools
from grpc_tools import protoc

# The well-known types come with grpcio-tools, google/api and google/rpc with googleapis-common-protos.
_ROOTS = [Path(grpc_tools.__file__).with_name("_proto"), *(Path(root).parent for root in google.__path__)]


def compile_set(
    files: Mapping[str, str], *, include_imports: bool = True, include_source_info: bool = True
) -> bytes:
    """The descriptor set of *files*, .proto text by import path, in the bytes that protoc wrote."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        out = Path(folder, "out.binpb")
        flags = [f"-I{root}" for root in (folder, *_ROOTS)]
        flags += ["--include_imports"] * include_imports + ["--include_source_info"] * include_source_info
        # protoc.main is given its program's name first, like any main.
        status = protoc.main(["protoc", *flags, f"--descriptor_set_out={out}", *map(os.fspath, files)])
        assert status == 0, "protoc refused the files; it says why on stderr"
        return out.read_bytes()
