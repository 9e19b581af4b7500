"""Seconds from the start of `dynconnect serve` to the answer of its first call.

    python tests/bench/start.py [ROUNDS]

The small set is that of the Eliza example; the large one has 5,000 messages in 100 files. A client asks again
and again from the start on; the median of the rounds stands here, and the shortest and the longest.
"""

# ruff: noqa: T201  a report

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).resolve().parents[2]
FILES, MESSAGES, FIELDS = 100, 50, 10
PLUGIN = """
from dynconnect import service

@service("large.f0.Things")
class Things:
    async def get(self, request, ctx):
        return request
"""
HEAD = (
    "POST {path} HTTP/1.1\r\nHost: localhost\r\n"
    "Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
)


def large() -> bytes:
    """A set of 5,000 messages, each with ten fields, of which one is a message of the file before."""
    found = FileDescriptorSet()
    for number in range(FILES):
        file = found.file.add(name=f"f{number}.proto", package=f"large.f{number}", syntax="proto3")
        if number:
            file.dependency.append(f"f{number - 1}.proto")
        for at in range(MESSAGES):
            message = file.message_type.add(name=f"M{at}")
            for field in range(1, FIELDS):
                message.field.add(
                    name=f"field_{field}",
                    number=field,
                    type=FieldDescriptorProto.TYPE_STRING,
                    label=FieldDescriptorProto.LABEL_OPTIONAL,
                )
            message.field.add(
                name="inner",
                number=FIELDS,
                type=FieldDescriptorProto.TYPE_MESSAGE,
                type_name=f".large.f{max(0, number - 1)}.M{at}",
                label=FieldDescriptorProto.LABEL_OPTIONAL,
            )
        service = file.service.add(name="Things")
        service.method.add(name="Get", input_type=f".large.f{number}.M0", output_type=f".large.f{number}.M0")
    return found.SerializeToString()


def first_answer(arguments: list[str], path: str, message: dict[str, str]) -> float:
    """Seconds until *message* to *path* is answered by a server that is started with *arguments*."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    body = json.dumps(message)
    request = (HEAD.format(path=path, size=len(body)) + body).encode()
    began = time.perf_counter()
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "dynconnect",
            "serve",
            *arguments,
            "--port",
            str(port),
            "--log-level",
            "error",
        ],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        while server.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=30) as asked:
                    asked.sendall(request)
                    answer = asked.recv(1 << 16)
                    took = time.perf_counter() - began
            except OSError:
                time.sleep(0.002)
                continue
            if not answer.startswith(b"HTTP/1.1 200"):
                sys.exit(f"the first call failed: {answer!r}")
            return took
        sys.exit(f"the server ended with {server.returncode}")
    finally:
        server.kill()
        server.wait()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        schema, plugin = Path(folder, "large.binpb"), Path(folder, "things.py")
        schema.write_bytes(large())
        plugin.write_text(PLUGIN)
        eliza = ["examples/eliza/eliza.binpb", "--plugins", "examples/eliza/plugins"]
        say = "/connectrpc.eliza.v1.ElizaService/Say"
        for name, arguments, path, message, goal in (
            ("small set", eliza, say, {"sentence": "hello"}, 0.7),
            (
                "5,000 messages",
                [str(schema), "--plugins", str(plugin)],
                "/large.f0.Things/Get",
                {"field1": "a"},
                1.2,
            ),
        ):
            took = sorted(first_answer(arguments, path, message) for _ in range(rounds))
            median = statistics.median(took)
            print(f"{name:16}{median:6.2f} s   ({took[0]:.2f} to {took[-1]:.2f}), {goal} wanted")
            missed += [f"{name}: {median:.2f} s, {goal} wanted"] if median > goal else []
    print("\n".join(missed) or "all as it is to be")


if __name__ == "__main__":
    main()
