"""What a server holds: after its start, for ten thousand open streams, and after a million calls.

    python tests/bench/memory.py [CALLS [STREAMS]]

The server is `dynconnect serve` with the Eliza example, in a process of its own. The streams are Connect's, a
hundred on a connection; each has had one answer and waits for the next request. The calls are h2load's.
"""

# ruff: noqa: T201  a report

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psutil
from hpack import Encoder

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ["serve", "examples/eliza/eliza.binpb", "--plugins", "examples/eliza/plugins", "--port", "0"]
SERVICE = "/connectrpc.eliza.v1.ElizaService"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ON_A_CONNECTION = 100
START_MIB, STREAM_KIB, GROWTH_MIB = 60, 25, 2


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


class Streams:
    """A connection with open streams."""

    def __init__(self, port: int, count: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        encoder = Encoder()
        head = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", f"{SERVICE}/Converse"),
            (":authority", "localhost"),
            ("content-type", "application/connect+json"),
        ]
        message = b'{"sentence":"hello"}'
        body = b"\0" + len(message).to_bytes(4, "big") + message
        data = PREFACE + frame(4, 0, 0, b"")
        for number in range(1, 2 * count, 2):
            data += frame(1, 4, number, encoder.encode(head)) + frame(0, 0, number, body)
        self._socket.sendall(data)
        self._wait(count)

    def _wait(self, count: int) -> None:
        """Until each stream has had an answer."""
        answered, rest = set(), b""
        while len(answered) < count:
            piece = self._socket.recv(1 << 16)
            if not piece:
                raise ConnectionError("the server closed the connection")
            rest += piece
            while len(rest) >= 9 and len(rest) >= (end := 9 + int.from_bytes(rest[:3], "big")):
                if rest[3] == 0 and end > 9:
                    answered.add(int.from_bytes(rest[5:9], "big"))
                elif rest[3] == 3:
                    raise ConnectionError("a stream was reset")
                rest = rest[end:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def call(port: int, count: int) -> None:
    """*count* unary calls."""
    with tempfile.NamedTemporaryFile() as body:
        body.write(b'{"sentence":"hello"}')
        body.flush()
        done = subprocess.run(
            [
                *("h2load", "-n", str(count), "-c", "4", "-m", "16", "-d", body.name),
                *("-H", "content-type: application/json", f"http://127.0.0.1:{port}{SERVICE}/Say"),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    if f"status codes: {count} 2xx" not in done:
        sys.exit(f"not all of {count} calls were answered:\n{done}")


def main() -> None:
    if shutil.which("h2load") is None:
        sys.exit("h2load is missing: it is in the package nghttp2-client of Debian and Ubuntu")
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    streams = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    server = subprocess.Popen(
        [sys.executable, "-m", "dynconnect", *COMMAND], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    missed = []
    try:
        port = int(next(found[1] for line in server.stderr if (found := re.search(r"//[^:]+:(\d+)", line))))
        process = psutil.Process(server.pid)
        call(port, 4)
        started = mib(process)
        print(f"after the start and a first call: {started:.1f} MiB")
        missed += [f"{START_MIB} MiB were to be enough"] if started > START_MIB else []
        call(port, calls // 10)
        early = mib(process)
        call(port, calls - calls // 10)
        late = mib(process)
        print(f"after {calls // 10:,} calls: {early:.1f} MiB; after {calls:,}: {late:.1f} MiB")
        missed += ["that is not flat"] if late - early > GROWTH_MIB else []
        with ExitStack() as opened:
            for _ in range(streams // ON_A_CONNECTION):
                opened.enter_context(Streams(port, ON_A_CONNECTION))
            each = (mib(process) - late) * 1024 / streams
            print(f"{streams:,} open streams: {each:.1f} KiB each")
            missed += [f"{STREAM_KIB} KiB were to be enough"] if each > STREAM_KIB else []
    finally:
        server.terminate()
        server.wait()
    print("\n".join(missed) or "all as it is to be")


def mib(process: psutil.Process) -> float:
    """What *process* holds."""
    return process.memory_info().rss / (1 << 20)


if __name__ == "__main__":
    main()
