"""Every server of the comparison: how it is started, and what it has used."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0))
START_TIMEOUT = 30.0


@dataclass(frozen=True)
class Kind:
    """A server that can be started.

    Attributes:
        name: as the tables call it.
        command: with ``{port}`` where the port goes, and the interpreter left out.
        old: whether it speaks HTTP/1.1, and `new` whether it speaks HTTP/2.
        grpc: whether it speaks gRPC; `connect` and `web` are the same question.
    """

    name: str
    command: tuple[str, ...]
    old: bool = True
    new: bool = True
    grpc: bool = True
    connect: bool = True
    web: bool = True
    does_nothing: bool = False


_PYVOY = ("-c", "from pyvoy._cli import main; main()", "--port", "{port}", "--loop", "uvloop")
_UVICORN = ("-m", "uvicorn", "--port", "{port}", "--log-level", "error", "--no-access-log")
_HYPERCORN = (
    "-m",
    "hypercorn",
    "--config",
    "hypercorn.toml",
    "--bind",
    "127.0.0.1:{port}",
    "--worker-class",
    "uvloop",
)


def _ours(engine: str) -> Kind:
    serve = ("-m", "dynconnect", "serve", "bench.proto", "--plugins", "plugin.py", "--port", "{port}")
    return Kind(f"dynconnect on {engine}", (*serve, "--engine", engine, "--log-level", "error"))


KINDS = (
    _ours("hypercorn"),
    _ours("uvicorn"),
    _ours("pyvoy"),
    Kind("nothing on hypercorn", ("on_engine.py", "hypercorn", "{port}"), does_nothing=True),
    Kind("nothing on uvicorn", ("on_engine.py", "uvicorn", "{port}"), does_nothing=True),
    Kind("nothing on pyvoy", (*_PYVOY, "apps:nothing"), does_nothing=True),
    Kind("grpc.aio", ("grpc_aio.py", "{port}"), old=False, connect=False, web=False),
    Kind("grpclib", ("grpclib_server.py", "{port}"), old=False, connect=False, web=False),
    Kind(
        "connectrpc on uvicorn",
        (*_UVICORN, "--http", "httptools", "apps:connectrpc"),
        new=False,
        grpc=False,
    ),
    Kind(
        "connectrpc on uvicorn, zttp",
        (*_UVICORN, "--http", "zttp", "--http2", "apps:connectrpc"),
        old=False,
        web=False,
    ),
    Kind("connectrpc on pyvoy", (*_PYVOY, "apps:connectrpc"), web=False),
    Kind("connectrpc on hypercorn", (*_HYPERCORN, "apps:connectrpc"), web=False),
)


class Running:
    """A server of *kind*, on the first of our processors."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  as long as the server
        command = [part.replace("{port}", str(self.port)) for part in kind.command]
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=HERE,
            env={**os.environ, "PYTHONPATH": str(HERE)},
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            preexec_fn=lambda: os.sched_setaffinity(0, {CORES[0]}),
        )
        self._tree = psutil.Process(self._process.pid)

    def wait(self) -> None:
        """Until it accepts connections."""
        until = time.monotonic() + START_TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > until:
                self._process.kill()
                self._errors.seek(0)
                sys.exit(f"{self.kind.name} does not start: {self._errors.read().decode()[-2000:]}")
            time.sleep(0.05)

    def cpu(self) -> float:
        """Seconds of CPU that it and its children have used."""
        times = [process.cpu_times() for process in (self._tree, *self._tree.children(recursive=True))]
        return sum(each.user + each.system for each in times)

    def stop(self) -> None:
        """End it, with its children."""
        if self._process.poll() is None:
            for process in (*self._tree.children(recursive=True), self._tree):
                process.kill()
        self._process.wait()
