"""Ten thousand connections that do nothing: what each of them holds, and whether a neighbour notices.

    python tests/bench/idle.py [CONNECTIONS]

The server is `dynconnect serve` with the Eliza example, in a process of its own; half of the connections have
begun HTTP/2, the others have said nothing yet. Both processes need as many open files as connections.
"""

# ruff: noqa: T201  a report

from __future__ import annotations

import re
import resource
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
COMMAND = ["serve", "examples/eliza/eliza.binpb", "--plugins", "examples/eliza/plugins", "--port", "0"]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < count + 200:
        sys.exit(f"{count} connections need as many open files, and this system allows {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 200, most))
    server = subprocess.Popen(
        [sys.executable, "-m", "dynconnect", *COMMAND], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        measure(count, server)
    finally:
        server.terminate()
        print(f"exit code {server.wait()}")


def measure(count: int, server: subprocess.Popen[str]) -> None:
    port = int(next(found[1] for line in server.stderr if (found := re.search(r"http://[^:]+:(\d+)", line))))
    with ExitStack() as opened, httpx.Client(trust_env=False, timeout=30) as http:
        before, alone = memory(server), latency(http, port)
        for number in range(count):
            sock = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            if number % 2:
                sock.sendall(HELLO)
        among = latency(http, port)
        grown = memory(server) - before
        print(f"{count} idle connections: {grown / count:.1f} KiB each, {grown / 1024:.0f} MiB in all")
        print(f"a neighbour's call: {among * 1000:.2f} ms, and {alone * 1000:.2f} ms without them")


def latency(http: httpx.Client, port: int) -> float:
    """Seconds of a unary call, the median of many."""
    took = []
    for _ in range(300):
        began = time.perf_counter()
        answer = http.post(
            f"http://127.0.0.1:{port}/connectrpc.eliza.v1.ElizaService/Say", json={"sentence": "hello"}
        )
        answer.raise_for_status()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def memory(server: subprocess.Popen[str]) -> int:
    """KiB that the server holds."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())[1])


if __name__ == "__main__":
    main()
