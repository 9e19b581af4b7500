"""A project whose handlers tell which process, which edit and which generation answers."""

from __future__ import annotations

import os
import select
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from support import project
from support.serving import GUARD

SERVE = ("serve", "api.binpb", "--plugins", "plugins", "--port", 0, "--workers", 2)

PLUGIN = """\
import asyncio
import logging
import os
import signal
import time
import warnings
from pathlib import Path

from dynconnect import service
from dynconnect.server.engines import run

EDIT = "first"
run.END_TIMEOUT = 0.5


@service("notes.v1.Notes")
class Notes:
    async def echo(self, request, ctx):
        answer = f"{os.getpid()} {EDIT} {ctx.generation}"
        if request.text == "log":
            logging.getLogger("notes").info("said by %d", os.getpid())
        if request.text == "fork":
            warnings.simplefilter("ignore")
            child = os.fork()
            if not child:
                while True:
                    signal.pause()
            answer += f" {child}"
        return {"text": answer}

    async def count(self, request, ctx):
        yield {"text": str(os.getpid())}
        while request.text == "spin":
            time.sleep(0.01)
        while not Path(request.text).exists():
            await asyncio.sleep(0.01)
        yield {"text": "last"}


LAST = 0
"""


def write(folder: Path) -> Path:
    """Make the project in *folder*."""
    project.write(folder)
    plugin(folder).write_text(PLUGIN)
    return folder


def plugin(folder: Path) -> Path:
    """The file of the handlers."""
    return folder / "plugins" / "notes.py"


def edit(folder: Path, before: str = '"first"', after: str = '"second"') -> None:
    """Replace text in the handlers' file."""
    text = plugin(folder).read_text()
    assert before in text
    plugin(folder).write_text(text.replace(before, after))


@dataclass(frozen=True)
class Answer:
    """Who answered."""

    pid: int
    edit: str
    generation: int
    rest: tuple[str, ...]


def read(answer: httpx.Response) -> Answer:
    assert answer.status_code == 200, answer.text
    pid, edit, generation, *rest = answer.json()["text"].split()
    return Answer(int(pid), edit, int(generation), tuple(rest))


def call(url: str, text: str = "", **options: object) -> Answer:
    """One call, over a connection of its own."""
    with httpx.Client(base_url=url, trust_env=False, timeout=GUARD, **options) as http:
        return read(http.post("/notes.v1.Notes/Echo", json={"text": text}))


def answers(url: str, count: int = 2, **options: object) -> dict[int, Answer]:
    """An answer of each of *count* processes, by its pid; called until all have answered."""
    found: dict[int, Answer] = {}
    until = time.monotonic() + GUARD
    while len(found) < count:
        assert time.monotonic() < until, f"only {list(found)} answer"
        answer = call(url, **options)
        found[answer.pid] = answer
    return found


@contextmanager
def stream(url: str, text: str) -> Iterator[tuple[int, Iterator[bytes]]]:
    """An open call of `Count`: which process answers it, and the rest of its answer."""
    body = b'{"text": "%s"}' % text.encode()
    with (
        httpx.Client(trust_env=False, timeout=GUARD) as http,
        http.stream(
            "POST",
            f"{url}/notes.v1.Notes/Count",
            content=struct.pack(">BI", 0, len(body)) + body,
            headers={"content-type": "application/connect+json"},
        ) as answer,
    ):
        pieces = answer.iter_raw()
        first = next(pieces)
        while b"}" not in first:
            first += next(pieces)
        yield int(first.split(b'"')[3]), pieces


def wait_for_end(pid: int) -> None:
    """Wait until the process *pid*, whosever child it is, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        readable, _, _ = select.select([descriptor], [], [], GUARD)
        assert readable, f"{pid} does not end"
    finally:
        os.close(descriptor)
