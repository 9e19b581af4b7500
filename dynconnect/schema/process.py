"""A compiler as a process: bytes in, bytes out, within bounds of time and size.

Not in this process: a compiler would hold the interpreter's lock, and calls would wait for it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

ERRORS_MAX_BYTES = 1024 * 1024
"""How much of stderr is kept."""

_CHUNK = 64 * 1024


class ProcessError(Exception):
    """The process could not be run, or went beyond its bounds. Its text is the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that has ended.

    Attributes:
        status: its exit code, negative for a signal.
        output: all of its stdout.
        errors: its stderr, of which no more than a bound is kept.
    """

    status: int
    output: bytes
    errors: str


def run(command: Sequence[str], data: bytes = b"", *, seconds: float, output_max: int) -> Finished:
    """Run *command* with *data* as its stdin, and end it with all that it started if it will not end.

    Raises:
        ProcessError: it did not start, took longer than *seconds*, or wrote more than *output_max* bytes.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  a list of arguments, and no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as exc:
        raise ProcessError(f"can't be run: {getattr(exc, 'strerror', None) or exc}") from None
    errors: list[bytes] = []
    with _ended(process, seconds) as late, _feeding(process, data, errors):
        output = _read(process.stdout, output_max + 1)
        if len(output) > output_max:
            raise ProcessError(f"wrote more than {output_max >> 20} MiB")
        status = process.wait()
    if late.is_set():
        raise ProcessError(f"took longer than {seconds:g} seconds, and was ended")
    return Finished(status, output, b"".join(errors).decode(errors="replace"))


@contextmanager
def _ended(process: subprocess.Popen[bytes], seconds: float) -> Iterator[threading.Event]:
    """Within it, *process* runs for *seconds* at most; then it is over. Set if that was too short."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()
        _kill(process)
        process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End *process*, and on POSIX what it started: a compiler may be a script around another."""
    # Once it was waited for, its number may be another's.
    if process.returncode is not None:
        return
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


@contextmanager
def _feeding(process: subprocess.Popen[bytes], data: bytes, errors: list[bytes]) -> Iterator[None]:
    """Within it, *data* goes to *process* and its stderr to *errors*, so that it waits for neither."""
    threads = [
        threading.Thread(target=_write, args=(process.stdin, data), daemon=True),
        threading.Thread(target=_keep, args=(process.stderr, errors), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    except BaseException:
        _kill(process)
        raise
    finally:
        for thread in threads:
            thread.join()
        if process.stdout is not None:
            process.stdout.close()


def _write(pipe: IO[bytes], data: bytes) -> None:
    # A compiler that fails early does not read to the end.
    with suppress(OSError), pipe:
        pipe.write(data)


def _keep(pipe: IO[bytes], errors: list[bytes]) -> None:
    with pipe:
        errors.append(_read(pipe, ERRORS_MAX_BYTES))
        while pipe.read(_CHUNK):
            pass


def _read(pipe: IO[bytes] | None, size: int) -> bytes:
    """Up to *size* bytes of *pipe*, held in as little memory as they need."""
    parts: list[bytes] = []
    while pipe is not None and size > 0 and (part := pipe.read(min(size, _CHUNK))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
