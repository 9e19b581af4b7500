"""Folders of .proto files, and compilers for them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

SHOP = {
    "shop/v1/shop.proto": """\
syntax = "proto3";
package shop.v1;
import "shop/v1/order.proto";
import "google/api/annotations.proto";
// All orders.
service Orders {
  rpc Get(Order) returns (Order) { option (google.api.http) = { get: "/v1/orders" }; }
}
""",
    "shop/v1/order.proto": """\
syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";
message Order {
  string id = 1;
  google.protobuf.Timestamp at = 2;
}
""",
}
"""By import path: a service, and a message in a file of its own."""


def plant(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def install(folder: Path, name: str, script: str) -> Path:
    """A program *name* in *folder*, of this Python *script*."""
    path = folder / name
    folder.mkdir(exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    return path


REAL_PROTOC, REAL_BUF = shutil.which("protoc"), shutil.which("buf")
"""None where there is none; tests with them are skipped then."""

RECORD = """\
import os, sys
with open({log!r}, "a") as log:
    print("{name}", *sys.argv[1:], file=log)
"""
"""Notes that it was started and with what, and then does the rest of its script."""

COMPILE = f"os.execv({sys.executable!r}, [{sys.executable!r}, '-m', 'grpc_tools.protoc', *sys.argv[1:]])\n"
"""The rest of a script that compiles."""


def names_of(path: Path) -> list[str]:
    """All files below *path*, to see that none is left behind."""
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
