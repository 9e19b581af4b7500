"""Reloading under load: nothing lost, how soon an edit is served, and what it costs.

    python tests/bench/reload.py [loss|speed] [--reloads N]

Without an argument, both. The server is `dynconnect dev` in a process of its own. Each generation answers
with two tokens, one from the schema and one from a plugin, and with its number in a header: calls and
streams of one number must have one pair of tokens. The time from a save to the first answer of the new code
is a client's; beside it stand `uvicorn --reload` and `hypercorn --reload` with a one-line application.
"""

# ruff: noqa: T201  a report

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

import grpc.aio
import httpx
from google.protobuf import descriptor_pb2 as pb

PACKAGE = "bench.reload.v1"
SERVICE = f"/{PACKAGE}.Tokens"
LARGE = 1500
"""Messages in the large set, which is 2 MB then."""
PER_FILE = 30
"""Of those, how many a file has: a large one."""
STREAM_MESSAGES = 20

PLUGIN = """\
import asyncio
import time

from dynconnect import service
from dynconnect_types.bench.reload.v1 import Token

TOKEN = {token}


def tokens():
    schema = [field.name for field in Token.DESCRIPTOR.fields if field.name.startswith("token_")]
    return {{"schema": schema[0], "plugin": TOKEN}}


@service("bench.reload.v1.Tokens")
class Tokens:
    async def get(self, request, ctx):
        return tokens()

    async def watch(self, request, ctx):
        for _ in range({messages}):
            yield tokens()
            await asyncio.sleep(0.01)

    async def stall(self, requests, ctx):
        # Asleep for a millisecond at a time: waking late, the event loop was held up.
        await anext(requests)
        longest, last = 0.0, time.perf_counter()
        ended = asyncio.ensure_future(anext(requests, None))
        while not ended.done():
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        return {{"stall": longest - 0.001}}
"""


def schema(token: int, more: int = 0, per_file: int = 0) -> bytes:
    """A descriptor set whose message `Token` has a field named after *token*, beside *more* messages.

    They are *per_file* to a file, or all in the one of `Token`.
    """
    field = pb.FieldDescriptorProto
    file = pb.FileDescriptorProto(name="bench/reload.proto", package=PACKAGE, syntax="proto3")
    message = file.message_type.add(name="Token")
    for number, (name, kind) in enumerate(
        (("schema", field.TYPE_STRING), ("plugin", field.TYPE_INT32), ("stall", field.TYPE_DOUBLE)), 1
    ):
        message.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL)
    message.field.add(name=f"token_{token}", number=100, type=field.TYPE_BOOL, label=field.LABEL_OPTIONAL)
    service = file.service.add(name="Tokens")
    name = f".{PACKAGE}.Token"
    service.method.add(name="Get", input_type=name, output_type=name)
    service.method.add(name="Watch", input_type=name, output_type=name, server_streaming=True)
    service.method.add(name="Stall", input_type=name, output_type=name, client_streaming=True)
    files = [file]
    for first in range(0, more, per_file or more or 1):
        numbers = range(first, min(first + (per_file or more), more))
        if per_file:
            name = f"bench/records{first // per_file}.proto"
            files.append(pb.FileDescriptorProto(name=name, package=PACKAGE, syntax="proto3"))
        add_records(files[-1], numbers)
    return pb.FileDescriptorSet(file=files).SerializeToString()


def add_records(file: pb.FileDescriptorProto, numbers: range) -> None:
    """Messages of these *numbers* with thirty fields each, some of which are of other ones."""
    field = pb.FieldDescriptorProto
    for number in numbers:
        message = file.message_type.add(name=f"Record{number}")
        for at in range(1, 31):
            label = field.LABEL_REPEATED if at % 5 == 0 else field.LABEL_OPTIONAL
            made = message.field.add(name=f"a_field_with_a_long_name_{at}", number=at, label=label)
            made.type = field.TYPE_MESSAGE if at % 7 == 0 else field.TYPE_STRING
            if at % 7 == 0:
                made.type_name = f".{PACKAGE}.Record{numbers[(number * 7 + at) % len(numbers)]}"


def save(path: Path, content: bytes) -> None:
    """As editors and compilers do: another file in the place of the old one."""
    new = path.with_name(f"{path.name}.tmp")
    new.write_bytes(content)
    new.replace(path)


class Project:
    """A schema and a plugin in a folder, each with a token."""

    def __init__(self, folder: Path, more: int = 0, per_file: int = 0) -> None:
        self.folder, self.more, self.per_file = folder, more, per_file
        (folder / "plugins").mkdir()
        self.save_schema(0)
        self.save_plugin(0)

    def save_schema(self, token: int) -> None:
        save(self.folder / "api.binpb", schema(token, self.more, self.per_file))

    def save_plugin(self, token: int) -> None:
        text = PLUGIN.format(token=token, messages=STREAM_MESSAGES)
        save(self.folder / "plugins" / "tokens.py", text.encode())


@contextlib.contextmanager
def project(more: int = 0, per_file: int = 0) -> Iterator[Project]:
    with tempfile.TemporaryDirectory() as folder:
        yield Project(Path(folder), more, per_file)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def start(command: list[str], folder: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)


@contextlib.asynccontextmanager
async def running(command: list[str], folder: Path, url: str) -> AsyncIterator[subprocess.Popen[bytes]]:
    """*command* in *folder*, once *url* is answered."""
    with (folder / "server.log").open("wb") as log:
        process = await asyncio.to_thread(start, command, folder, log)
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    await http.get(url)
                    break
                if process.poll() is not None:
                    raise RuntimeError((folder / "server.log").read_text())
                await asyncio.sleep(0.02)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.asynccontextmanager
async def serving(made: Project) -> AsyncIterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "dynconnect", "dev", "api.binpb", "--plugins", "plugins"]
    async with running([*command, "--port", str(port)], made.folder, url) as process:
        yield url, process


# --- load ---------------------------------------------------------------------------------------------------


class Load:
    """Unary calls and streams in three protocols, over and over; everything that is wrong with an answer."""

    def __init__(self, url: str) -> None:
        self.calls: Counter[str] = Counter()
        self.faults: list[str] = []
        self.pairs: dict[str, set[tuple[str, int]]] = {}
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=60)
        self._channel = grpc.aio.insecure_channel(url.removeprefix("http://"))
        self._set = pb.FileDescriptorSet.FromString(schema(0))
        self.stopped = False

    async def run(self) -> None:
        kinds = (self.connect_unary, self.connect_stream, self.web_unary, self.web_stream)
        loops = [self._again(kind) for kind in (*kinds, self.grpc_unary, self.grpc_stream)]
        await asyncio.gather(*loops)
        await self._http.aclose()
        await self._channel.close()

    async def _again(self, kind) -> None:
        while not self.stopped:
            try:
                await kind()
            except Exception as fault:  # noqa: BLE001  each is counted
                self.faults.append(f"{kind.__name__}: {fault!r}")
            self.calls[kind.__name__] += 1
            await asyncio.sleep(0.002)

    def _check(self, generation: str, pairs: list[tuple[str, int]], expected: int) -> None:
        if len(pairs) != expected:
            self.faults.append(f"{len(pairs)} of {expected} messages")
        self.pairs.setdefault(generation, set()).update(pairs)

    async def connect_unary(self) -> None:
        answer = await self._http.post(f"{SERVICE}/Get", json={})
        answer.raise_for_status()
        self._check(answer.headers["dynconnect-generation"], [pair(answer.json())], 1)

    async def connect_stream(self) -> None:
        headers = {"content-type": "application/connect+json"}
        answer = await self._http.post(f"{SERVICE}/Watch", content=envelope(b"{}"), headers=headers)
        *messages, (flags, end) = envelopes(answer.content)
        if flags != 2 or json.loads(end).get("error"):
            self.faults.append(f"connect stream ended with {end!r}")
        found = [pair(json.loads(data)) for _, data in messages]
        self._check(answer.headers["dynconnect-generation"], found, STREAM_MESSAGES)

    async def web_unary(self) -> None:
        await self._web("Get", 1)

    async def web_stream(self) -> None:
        await self._web("Watch", STREAM_MESSAGES)

    async def _web(self, method: str, expected: int) -> None:
        headers = {"content-type": "application/grpc-web+json"}
        answer = await self._http.post(f"{SERVICE}/{method}", content=envelope(b"{}"), headers=headers)
        *messages, (flags, end) = envelopes(answer.content)
        if flags != 0x80 or not re.search(rb"grpc-status: ?0\b", end):
            self.faults.append(f"gRPC-Web ended with {end!r}")
        found = [pair(json.loads(data)) for _, data in messages]
        self._check(answer.headers["dynconnect-generation"], found, expected)

    async def grpc_unary(self) -> None:
        call = self._channel.unary_unary(f"{SERVICE}/Get")(b"")
        found = [binary_pair(await call)]
        self._check(generation_of(await call.initial_metadata()), found, 1)

    async def grpc_stream(self) -> None:
        call = self._channel.unary_stream(f"{SERVICE}/Watch")(b"")
        found = [binary_pair(message) async for message in call]
        self._check(generation_of(await call.initial_metadata()), found, STREAM_MESSAGES)


def pair(message: dict) -> tuple[str, int]:
    return message["schema"], message.get("plugin", 0)


def binary_pair(data: bytes) -> tuple[str, int]:
    """Fields 1 (a string of less than 128 bytes) and 2 (a varint)."""
    size = data[1]
    text, rest = data[2 : 2 + size].decode(), data[2 + size :]
    number = sum((byte & 0x7F) << 7 * at for at, byte in enumerate(rest[1:]))
    return text, number


def generation_of(metadata) -> str:
    return dict(metadata)["dynconnect-generation"]


def envelope(data: bytes) -> bytes:
    return struct.pack(">BI", 0, len(data)) + data


def envelopes(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(data):
        flags, size = struct.unpack_from(">BI", data, at)
        found.append((flags, data[at + 5 : at + 5 + size]))
        at += 5 + size
    return found


# --- what is measured ---------------------------------------------------------------------------------------


async def until(http: httpx.AsyncClient, token: int, kind: str) -> float:
    """Wait for the first answer with *token*; the time it came at."""
    while True:
        found = pair((await http.post(f"{SERVICE}/Get", json={})).json())
        if token == (found[1] if kind == "plugin" else int(found[0].removeprefix("token_"))):
            return time.perf_counter()


def rss(process: subprocess.Popen[bytes]) -> float:
    """MiB of memory of *process*."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1]) / 1024


async def loss(reloads: int) -> None:
    """Loads the server while it reloads; then what was lost, and how its memory grew."""
    with project() as made:
        async with serving(made) as (url, process), httpx.AsyncClient(base_url=url, trust_env=False) as http:
            load = Load(url)
            loading = asyncio.create_task(load.run())
            memory = {}
            for number in range(1, reloads + 1):
                kind = "plugin" if number % 2 else "schema"
                (made.save_plugin if number % 2 else made.save_schema)(number)
                await until(http, number, kind)
                if number in (reloads // 5, reloads):
                    memory[number] = rss(process)
            load.stopped = True
            await loading
    mixed = {number: pairs for number, pairs in load.pairs.items() if len(pairs) > 1}
    print(f"{reloads} reloads under load: {sum(load.calls.values())} calls {dict(load.calls)}")
    print(f"  failed or cut: {len(load.faults)} {load.faults[:3]}")
    print(f"  generations that answered: {len(load.pairs)}, inconsistent: {len(mixed)}")
    print("  memory: " + ", ".join(f"{mib:.1f} MiB after {number}" for number, mib in memory.items()))


async def speed(name: str, more: int, per_file: int = 0, rounds: int = 40) -> float:
    """Prints the times from save to first answer; gives the median, in seconds."""
    with project(more, per_file) as made:
        async with serving(made) as (url, _), httpx.AsyncClient(base_url=url, trust_env=False) as http:
            channel = grpc.aio.insecure_channel(url.removeprefix("http://"))
            stall = channel.stream_unary(f"{SERVICE}/Stall")()
            await stall.write(b"")
            took = []
            for number in range(1, rounds + 1):
                kind = "plugin" if number % 2 else "schema"
                began = time.perf_counter()
                (made.save_plugin if number % 2 else made.save_schema)(number)
                took.append(await until(http, number, kind) - began)
                await asyncio.sleep(0.15)
            await stall.done_writing()
            longest = struct.unpack("<d", (await stall)[-8:])[0]
            await channel.close()
    quantiles = statistics.quantiles(took, n=20)
    size = len(schema(0, more, per_file)) / 1e6
    print(f"{name} ({size:.2f} MB): save to first answer p50 {quantiles[9] * 1000:.0f} ms, ", end="")
    print(f"p95 {quantiles[18] * 1000:.0f} ms, longest stall of the loop {longest * 1000:.0f} ms")
    return quantiles[9]


APP = """\
async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-length", b"{size}")]
        await send({{"type": "http.response.start", "status": 200, "headers": headers}})
        await send({{"type": "http.response.body", "body": b"{token}"}})
"""


async def others(base: float) -> None:
    """The same edit under the reloaders of uvicorn and hypercorn."""
    commands = {
        "uvicorn --reload": ["uvicorn", "app:app", "--reload", "--port"],
        "hypercorn --reload": ["hypercorn", "app:app", "--reload", "--bind"],
    }
    for name, (module, *options) in commands.items():
        with tempfile.TemporaryDirectory() as text:
            folder, port = Path(text), free_port()
            where = str(port) if options[-1] == "--port" else f"127.0.0.1:{port}"
            save(folder / "app.py", APP.format(size=1, token=0).encode())
            command = [sys.executable, "-m", module, *options, where]
            async with running(command, folder, f"http://127.0.0.1:{port}"):
                took = [await _served(folder, port, number) for number in range(1, 6)]
        median = statistics.median(took)
        print(f"{name}: save to first answer p50 {median * 1000:.0f} ms, {median / base:.1f} times ours")


async def _served(folder: Path, port: int, number: int) -> float:
    await asyncio.sleep(1.1)  # hypercorn looks at whole seconds
    began = time.perf_counter()
    save(folder / "app.py", APP.format(size=1, token=number).encode())
    while True:
        with contextlib.suppress(httpx.TransportError):
            async with httpx.AsyncClient(trust_env=False) as http:
                if (await http.get(f"http://127.0.0.1:{port}")).text == str(number):
                    return time.perf_counter() - began
        await asyncio.sleep(0.005)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["loss", "speed"])
    parser.add_argument("--reloads", type=int, default=1000)
    options = parser.parse_args()
    if options.what in (None, "loss"):
        await loss(options.reloads)
    if options.what in (None, "speed"):
        base = await speed("small set", 0)
        await speed(f"set of {LARGE} messages, {PER_FILE} to a file", LARGE, PER_FILE)
        # The worst there is: protobuf adds a file in one call, during which no other thread runs.
        await speed(f"set of {LARGE} messages in one file", LARGE)
        await others(base)


if __name__ == "__main__":
    asyncio.run(main())
