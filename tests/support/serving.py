"""Real servers on loopback: in this process, and as the program that users start."""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import re
import signal
import ssl
import subprocess
import sys
import termios
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Self, TextIO

import httpx
import trustme

from dynconnect.server.engines import table
from dynconnect.server.engines.endpoint import Endpoint, open_endpoint
from dynconnect.server.engines.settings import Settings

GUARD = 30.0
"""Seconds after which a test that waits has failed."""


class Running:
    """A server in this event loop."""

    def __init__(self, app: Callable, endpoint: Endpoint, engine: str) -> None:
        self.url, self.port = endpoint.url, endpoint.port
        self._ready = asyncio.Event()
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(
            table.ENGINES[engine].load()(app, endpoint, on_ready=self._ready.set, stop=self._stop.wait)
        )

    async def ready(self) -> Self:
        waiting = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait([waiting, self.task], timeout=GUARD, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self.task.done():
            self.task.result()
        return self

    def begin_stop(self) -> None:
        self._stop.set()

    async def stop(self) -> None:
        self.begin_stop()
        async with asyncio.timeout(GUARD):
            await self.task


@asynccontextmanager
async def running(
    app: Callable, *, engine: str = table.DEFAULT, **settings: object
) -> AsyncIterator[Running]:
    """*app* on *engine*, on a free port; stopped at the end, if it still runs."""
    with open_endpoint(Settings(**{"port": 0, **settings})) as endpoint:
        server = await Running(app, endpoint, engine).ready()
        try:
            yield server
        except BaseException:
            server.task.cancel()
            raise
        await server.stop()


@asynccontextmanager
async def serving(app: Callable, **settings: object) -> AsyncIterator[str]:
    """The URL of *app* on hypercorn, or on the `engine` in *settings*."""
    async with running(app, **settings) as server:
        yield server.url


def _command(arguments: Iterable[object], prelude: str = "") -> list[str]:
    code = f"{prelude}\nfrom dynconnect.cli.main import main\nmain()"
    entry = ["-c", code] if prelude else ["-m", "dynconnect"]
    return [sys.executable, "-W", "error", *entry, *map(str, arguments)]


def _environment(env: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("PORT", "FORCE_COLOR")}
    return {**kept, "PYTHONUNBUFFERED": "1", **env}


class Program:
    """A `dynconnect` in a process of its own. What it prints is in `output`, line by line.

    Attributes:
        results: the lines of its stdout, if that was to be kept apart.
    """

    def __init__(
        self, command: list[str], env: dict[str, str], cwd: Path | None, apart: bool, stdin: int | None
    ) -> None:
        self.output: list[str] = []
        self.results: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            # A terminal is taken for its own: it then is the job in the foreground.
            preexec_fn=None if stdin is None else partial(_take_terminal, stdin),
            start_new_session=stdin is not None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if apart else subprocess.STDOUT,
            text=True,
            env=_environment(env),
            cwd=cwd,
        )
        pipes = [(self.process.stdout, self.results.append)] if apart else []
        pipes.append((self.process.stderr if apart else self.process.stdout, self._lines.put))
        self._readers = [threading.Thread(target=_read, args=pipe) for pipe in pipes]
        for reader in self._readers:
            reader.start()

    def line(self, pattern: str) -> re.Match[str]:
        """Wait for the next line in which *pattern* is found."""
        while True:
            line = self._next()
            assert line is not None, "\n".join([f"it ended without {pattern!r}:", *self.output])
            if found := re.search(pattern, line):
                return found

    @property
    def url(self) -> str:
        """The URL in the banner; waits for it the first time."""
        if not hasattr(self, "_url"):
            self._url = self.line(r"https?://[^\s/]+")[0]
        return self._url

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def finished(self) -> int:
        """Wait for its end; its exit code. `output` is complete then."""
        code = self.process.wait(GUARD)
        for reader in self._readers:
            reader.join(GUARD)
        self._lines.put(None)
        while self._next() is not None:
            pass
        return code

    def _next(self) -> str | None:
        line = self._lines.get(timeout=GUARD)
        if line is not None:
            self.output.append(line)
        return line

    @property
    def text(self) -> str:
        return "\n".join(self.output)


def _take_terminal(descriptor: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


def _read(pipe: TextIO, take: Callable[[str], object]) -> None:
    with pipe as lines:
        for line in lines:
            take(line.rstrip("\n"))


@contextmanager
def program(
    *arguments: object,
    cwd: Path | None = None,
    apart: bool = False,
    prelude: str = "",
    stdin: int | None = None,
    **env: str,
) -> Iterator[Program]:
    """`dynconnect` with *arguments*; stopped at the end, and then it must have exited with 0.

    *apart*, its stdout is kept apart from its stderr. *prelude* is code that runs before it. *stdin* is a
    terminal, if it is to have one.
    """
    running = Program(_command(arguments, prelude), env, cwd, apart, stdin)
    try:
        yield running
        if running.process.poll() is None:
            running.signal()
            assert running.finished() == 0, running.text
            assert "Traceback" not in running.text, running.text
    finally:
        running.process.kill()
        running.finished()


def finish(*arguments: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """`dynconnect` with *arguments*, once it has ended by itself."""
    return subprocess.run(
        _command(arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=_environment(env),
        cwd=cwd,
        timeout=GUARD,
        check=False,
    )


class Certificates:
    """An authority, a server's certificate for this machine and a client's, as files below *folder*."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        server = authority.issue_cert("localhost", "127.0.0.1", "::1")
        client = authority.issue_cert("client@example.com")
        self.authority, self.cert, self.key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
        self.client_cert, self.client_key = folder / "client.pem", folder / "client-key.pem"
        authority.cert_pem.write_to_path(self.authority)
        for issued, cert, key in ((server, self.cert, self.key), (client, self.client_cert, self.client_key)):
            for number, blob in enumerate(issued.cert_chain_pems):
                blob.write_to_path(cert, append=number > 0)
            issued.private_key_pem.write_to_path(key)

    @property
    def server(self) -> dict[str, Path]:
        """Settings to serve with."""
        return {"tls_cert": self.cert, "tls_key": self.key}

    def trusting(self, *, identified: bool = False) -> ssl.SSLContext:
        """A client's context that trusts the authority; *identified*, it has the client's certificate."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if identified:
            context.load_cert_chain(self.client_cert, self.client_key)
        return context


def client(url: str, *, http2: bool = False, verify: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client that speaks one version of HTTP alone."""
    return httpx.AsyncClient(
        base_url=url, http1=not http2, http2=http2, verify=verify or False, timeout=GUARD, trust_env=False
    )
