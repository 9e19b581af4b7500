"""A project as its user has it: a descriptor set, and a folder of plugins beside it."""

from __future__ import annotations

from pathlib import Path

from support.protoc import compile_set

PROTO = """
syntax = "proto3";
package notes.v1;

message Note {
  string text = 1;
  int32 star_count = 2;
}

service Notes {
  rpc Echo(Note) returns (Note);
  rpc Count(Note) returns (stream Note);
  rpc Sum(stream Note) returns (Note);
  rpc Chat(stream Note) returns (stream Note);
  rpc Lost(Note) returns (Note);
}
"""

PLUGIN = """\
import asyncio
import threading
import time

from dynconnect import service


@service("notes.v1.Notes")
class Notes:
    async def echo(self, request, ctx):
        if request.text == "loop":
            return {"text": type(asyncio.get_running_loop()).__module__}
        if request.text == "fail":
            raise RuntimeError("secret")
        return {"text": request.text + "!"}

    async def count(self, request, ctx):
        try:
            yield {"text": "first"}
            if request.text == "spin":
                print("spins", flush=True)
                while True:
                    time.sleep(0.01)
            if request.text == "block":
                await asyncio.to_thread(block)
            if request.text == "wait":
                await asyncio.Event().wait()
        finally:
            print("tidied up", flush=True)

    async def sum(self, requests, ctx):
        return {"star_count": sum([request.star_count async for request in requests])}

    async def chat(self, requests, ctx):
        async for request in requests:
            yield {"text": request.text}


def block():
    print("blocks", flush=True)
    threading.Event().wait()
"""


def write(folder: Path) -> Path:
    """Make the project in *folder*: `api.binpb` and `plugins/notes.py`."""
    (folder / "api.binpb").write_bytes(compile_set({"notes/v1/notes.proto": PROTO}))
    (folder / "plugins").mkdir()
    (folder / "plugins" / "notes.py").write_text(PLUGIN)
    return folder
