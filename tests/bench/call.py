"""CPU of our own code for one unary call, with no server below it: above a do-nothing ASGI application.

    python tests/bench/call.py [ROUNDS [CALLS]]

The application is called as a server would call it, 50 calls at a time, each in a task of its own; the whole
request is there from the start and the client reads all. The two take turns, and the best of their rounds
counts. What is measured is what the budgets of the house hold: 30 µs for Connect, 40 µs for gRPC, 45 µs for
Connect in JSON. `--profile NAME` shows where the time of one of the cases goes.
"""

# ruff: noqa: T201  a command prints

from __future__ import annotations

import asyncio
import cProfile
import pstats
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import schema

from dynconnect.server.asgi import EARLY_RESPONSE, Server

AT_ONCE = 50
PROFILED = 20_000
EXTENSIONS = {"http.response.trailers": {}, EARLY_RESPONSE: {}}
MESSAGE = schema.packed("hello world", number=5)
ENVELOPE = b"\0" + len(MESSAGE).to_bytes(4, "big") + MESSAGE
CASES = {
    "connect proto": (b"application/proto", MESSAGE, 30),
    "connect json": (b"application/json", b'{"text":"hello world","number":5}', 45),
    "grpc": (b"application/grpc", ENVELOPE, 40),
    "grpc-web": (b"application/grpc-web+proto", ENVELOPE, 40),
}


async def echo(request, _ctx):
    return request


async def nothing(_scope, receive, send):
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def scope(content_type):
    path = schema.path("Echo")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "2",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"localhost:8080"),
            (b"content-type", content_type),
            (b"user-agent", b"bench"),
            (b"te", b"trailers"),
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8080),
        "extensions": EXTENSIONS,
        "state": {},
    }


async def spent(app, content_type, body, calls):
    """Microseconds of CPU for a call."""

    async def call():
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive():
            return waiting.pop() if waiting else await asyncio.Event().wait()

        async def send(_message):
            pass

        await app(scope(content_type), receive, send)

    began = time.process_time()
    for _ in range(calls // AT_ONCE):
        await asyncio.gather(*(call() for _ in range(AT_ONCE)))
    return (time.process_time() - began) / calls * 1e6


def print_shares(stats):
    """What the functions that take most have of the time, and how often a call needs them."""
    found = sorted(stats.stats.items(), key=lambda item: -item[1][2])
    total = sum(own for _, (_, _, own, _, _) in found)
    print(f"{'share':>6}{'calls':>7}")
    for (path, _, name), (_, calls, own, _, _) in found[:25]:
        where = "" if path == "~" else f"  {'/'.join(Path(path).parts[-2:])}"
        print(f"{own / total:6.1%}{calls / PROFILED:7.1f}  {name}{where}")


async def main(arguments):
    app = Server(schema.generation({"Echo": echo}))
    if arguments[:1] == ["--profile"]:
        content_type, body, _ = CASES[arguments[1]]
        profile = cProfile.Profile()
        profile.enable()
        await spent(app, content_type, body, PROFILED)
        profile.disable()
        print_shares(pstats.Stats(profile))
        return
    rounds, calls = (int(given) for given in (*arguments, *("10", "5000")[len(arguments) :]))
    print(f"{'':15}{'nothing':>9}{'ours':>9}{'above':>9}{'budget':>9}")
    for name, (content_type, body, budget) in CASES.items():
        ours = base = float("inf")
        for _ in range(rounds):
            base = min(base, await spent(nothing, content_type, body, calls))
            ours = min(ours, await spent(app, content_type, body, calls))
        print(f"{name:15}{base:9.1f}{ours:9.1f}{ours - base:9.1f}{budget:9}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
