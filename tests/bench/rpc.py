"""CPU of whole calls: of dynconnect on each engine, of its peers, and of an application that does nothing.

    python tests/bench/rpc.py [SECONDS [ROUNDS [CASES]]]

All servers are started first and stay up, on one processor; h2load (of nghttp2) asks from another. In each
round each server has one turn for each case, so that what the machine does besides hits all of them alike.
CASES, a regular expression, chooses some by their names.
CPU is what the server and its children used, by the kernel's count; the median of the rounds stands here.
On a shared machine believe the ratios, then the CPU, and the calls per second not at all.
"""

# ruff: noqa: T201  a report

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from messages import REPEATED, SERVICE, note_class
from start import CORES, KINDS, Kind, Running

FEW = 200
"""How many calls show how many of them take a second."""
CALLS_MAX = 4000
"""How many calls a connection has: zttp ends one after 4,096."""


@dataclass(frozen=True)
class Case:
    """What is asked.

    Attributes:
        name: as the report calls it.
        protocol: ``connect``, ``grpc`` or ``web``.
        method: of the service.
        body: of each request.
        kind: its content type.
        at_once: how many calls are in flight, on how many connections.
        messages: how many messages a call has, if CPU is told for each of them.
        old: by HTTP/1.1.
        budget: microseconds above the application that does nothing.
    """

    name: str
    protocol: str
    method: str
    body: bytes
    kind: str
    at_once: tuple[int, int] = (32, 1)
    messages: int = 1
    old: bool = False
    budget: float | None = None

    def asks(self, kind: Kind) -> bool:
        """Whether *kind* can answer it."""
        speaks = {"connect": kind.connect, "grpc": kind.grpc, "web": kind.web}[self.protocol]
        is_call = self.method == "Echo"
        return speaks and (is_call or not kind.does_nothing) and (kind.old if self.old else kind.new)


def cases() -> Iterable[Case]:
    """In the order of the report."""
    note = note_class()

    def packed(size: int) -> bytes:
        message = note(text="hello world", number=5)
        if size > 30:
            message.data = os.urandom(size - 30)
        return message.SerializeToString()

    def text(size: int) -> bytes:
        return json.dumps({"text": "x" * max(11, size - 30), "number": "5"}).encode()

    def framed(data: bytes, count: int = 1) -> bytes:
        return (b"\0" + len(data).to_bytes(4, "big") + data) * count

    small, kilo, mega = packed(0), packed(1000), packed(1 << 20)
    proto, grpc = "application/proto", "application/grpc"
    yield Case("Connect, small", "connect", "Echo", small, proto, budget=30)
    yield Case("Connect, small, JSON", "connect", "Echo", text(0), "application/json", budget=45)
    yield Case("gRPC, small", "grpc", "Echo", framed(small), grpc, budget=40)
    yield Case("gRPC-Web, small", "web", "Echo", framed(small), "application/grpc-web+proto", budget=40)
    yield Case("Connect, small, HTTP/1.1", "connect", "Echo", small, proto, (32, 32), old=True, budget=30)
    yield Case(
        "Connect, small, JSON, HTTP/1.1",
        "connect",
        "Echo",
        text(0),
        "application/json",
        (32, 32),
        old=True,
        budget=45,
    )
    yield Case("Connect, 1 kB", "connect", "Echo", kilo, proto)
    yield Case("Connect, 1 kB, JSON", "connect", "Echo", text(1000), "application/json")
    yield Case("gRPC, 1 kB", "grpc", "Echo", framed(kilo), grpc)
    yield Case("Connect, small, 500 at once", "connect", "Echo", small, proto, (500, 10))
    yield Case("gRPC, small, 500 at once", "grpc", "Echo", framed(small), grpc, (500, 10))
    yield Case("Connect, 1 MB", "connect", "Echo", mega, proto, (4, 1))
    yield Case("gRPC, 1 MB", "grpc", "Echo", framed(mega), grpc, (4, 1))
    many = {"messages": REPEATED, "at_once": (4, 1)}
    stream = "application/connect+proto"
    yield Case("Connect, server stream, a message", "connect", "Repeat", framed(small), stream, **many)
    yield Case("gRPC, server stream, a message", "grpc", "Repeat", framed(small), grpc, **many)
    yield Case(
        "Connect, client stream, a message", "connect", "Last", framed(small, REPEATED), stream, **many
    )
    yield Case("gRPC, client stream, a message", "grpc", "Last", framed(small, REPEATED), grpc, **many)


def ask(server: Running, case: Case, body: Path, calls: int) -> tuple[float, float]:
    """Make *calls*; the CPU of one in microseconds, and how many there were in a second.

    Exits if one of them fails.
    """
    most = CALLS_MAX * case.at_once[1]
    before, took = server.cpu(), 0.0
    for begin in range(0, calls, most):
        took += load(server, case, body, min(most, calls - begin))
    return (server.cpu() - before) / calls * 1e6, calls / took


def load(server: Running, case: Case, body: Path, calls: int) -> float:
    """Have h2load make *calls*; how many seconds they took."""
    flying, connections = case.at_once
    command = ["h2load", "-n", str(calls), "-c", str(connections), "-t", "1", "-d", str(body)]
    command += ["--h1"] if case.old else ["-m", str(flying // connections), "-w", "24", "-W", "26"]
    command += [
        "-H",
        f"content-type: {case.kind}",
        *(["-H", "te: trailers"] if case.protocol == "grpc" else []),
    ]
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}/{SERVICE}/{case.method}"],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {CORES[-1]}),
    ).stdout
    # Of HTTP/1.1 without a reason behind the status, as hypercorn writes it, it does not see the status.
    good = re.search(r"(\d+) done," if case.old else r"status codes: (\d+) 2xx", done)
    rate = re.search(r"([\d.]+) req/s", done)
    if not good or int(good[1]) != calls or not rate:
        sys.exit(f"{server.kind.name}, {case.name}: not all of {calls} calls were answered:\n{done}")
    return calls / float(rate[1])


def check(server: Running, case: Case) -> None:
    """Exit unless *server* answers *case* as it should: a load generator takes any answer."""
    if server.kind.does_nothing:
        return
    with httpx.Client(http1=case.old, http2=not case.old, trust_env=False, timeout=30) as client:
        answer = client.post(
            f"http://127.0.0.1:{server.port}/{SERVICE}/{case.method}",
            content=case.body,
            headers={"content-type": case.kind, "te": "trailers"},
        )
    frame = case.body[: len(case.body) // REPEATED if case.method == "Last" else None]
    if case.kind.endswith("json"):
        good = answer.json() == json.loads(case.body)
    else:
        good = answer.content.startswith(frame * (REPEATED if case.method == "Repeat" else 1))
    if not good:
        sys.exit(f"{server.kind.name}, {case.name}: {answer.status_code} {answer.content[:200]!r}")


def measure(
    servers: Iterable[Running], case: Case, seconds: float, rounds: int
) -> Mapping[Kind, tuple[float, float]]:
    """The CPU of a call, or of a message, and the calls in a second."""
    asked = [server for server in servers if case.asks(server.kind)]
    for server in asked:
        check(server, case)
    with tempfile.NamedTemporaryFile() as file:
        file.write(case.body)
        file.flush()
        body, few = Path(file.name), FEW if case.messages == 1 and len(case.body) < 5000 else 8
        calls = {
            server: max(few, int(ask(server, case, body, few)[1] * seconds))
            // case.at_once[1]
            * case.at_once[1]
            for server in asked
        }
        found = {server: [] for server in asked}
        for number in range(rounds):
            for server in (*asked[number % len(asked) :], *asked[: number % len(asked)]):
                found[server].append(ask(server, case, body, calls[server]))
    return {
        server.kind: (
            statistics.median(used for used, _ in each) / case.messages,
            statistics.median(rate for _, rate in each),
        )
        for server, each in found.items()
    }


def table(case: Case, found: Mapping[Kind, tuple[float, float]]) -> list[str]:
    """Print what was *found*; what is not as it should be."""
    names = {kind.name: used for kind, (used, _) in found.items()}
    aio = names.get("grpc.aio")
    others = {name: used for name, used in names.items() if name.startswith("connectrpc")}
    best = min(others.values(), default=None)
    columns = {"of grpc.aio": aio, "of connectrpc's best": best}
    columns = {name: base for name, base in columns.items() if base is not None}
    print(f"\n{case.name}")
    headings = "".join(f"{name:>22}" for name in columns)
    print(f"  {'':28}{'CPU µs':>8}{'above nothing':>15}{headings}{'a second':>10}")
    missed = []
    for kind, (used, rate) in found.items():
        base = names.get(f"nothing on {kind.name.rpartition(' ')[2]}")
        above = used - base if base is not None and kind.name.startswith("dynconnect") else None
        shown = "" if above is None else f"{above:.1f}"
        ratios = "".join(f"{used / base:22.2f}" for base in columns.values())
        print(f"  {kind.name:28}{used:8.1f}{shown:>15}{ratios}{rate:10.0f}", flush=True)
        if above is not None and case.budget is not None and above > case.budget:
            missed.append(f"{case.name}, {kind.name}: {above:.1f} µs above nothing, {case.budget} wanted")
    return [*missed, *goals(case, names, aio, best)]


def goals(case: Case, names: Mapping[str, float], aio: float | None, best: float | None) -> Iterable[str]:
    """What *case* is to reach beside its budget, and does not."""
    ours = names["dynconnect on hypercorn"]
    if case.name == "gRPC, small" and ours / aio > 0.2:
        yield f"{case.name}: {ours / aio:.2f} of grpc.aio, 0.2 wanted"
    if case.name == "Connect, small" and ours / best > 0.5:
        yield f"{case.name}: {ours / best:.2f} of connectrpc's best, 0.5 wanted"
    if case.messages > 1 and ours > 8:
        yield f"{case.name}: {ours:.1f} µs, 8 wanted"


def main() -> None:
    if shutil.which("h2load") is None:
        sys.exit("h2load is missing: it is in the package nghttp2-client of Debian and Ubuntu")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    chosen = re.compile(sys.argv[3] if len(sys.argv) > 3 else "")
    servers = [Running(kind) for kind in KINDS]
    missed: list[str] = []
    try:
        for server in servers:
            server.wait()
        for case in cases():
            if chosen.search(case.name):
                missed += table(case, measure(servers, case, seconds, rounds))
    finally:
        for server in servers:
            server.stop()
    print("\n" + ("\n".join(missed) or "all as it is to be"))


if __name__ == "__main__":
    main()
