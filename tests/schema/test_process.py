"""Processes within bounds; each is a small program of Python."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from dynconnect.schema import process
from dynconnect.schema.process import ProcessError, run

FOREVER = "import threading; threading.Event().wait()"


def python(code, data=b"", *, seconds=30, output_max=1 << 20):
    return run([sys.executable, "-c", code], data, seconds=seconds, output_max=output_max)


def test_stdin_comes_back_by_stdout_and_stderr_whatever_its_size():
    data = os.urandom(1 << 20)
    code = (
        "import sys; d = sys.stdin.buffer.read(); sys.stderr.write('e' * 200_000); sys.stdout.buffer.write(d)"
    )
    finished = python(code, data)
    assert (finished.status, finished.output, finished.errors) == (0, data, "e" * 200_000)


def test_the_exit_code_is_kept():
    assert python("import sys; sys.exit('no')").status == 1


def test_a_process_that_does_not_read_its_stdin_is_no_fault():
    assert python("print('done')", bytes(1 << 20)).output == b"done\n"


def test_stderr_is_kept_up_to_its_bound_and_read_to_its_end(monkeypatch):
    monkeypatch.setattr(process, "ERRORS_MAX_BYTES", 1000)
    finished = python("import sys; sys.stderr.write('x' * 1_000_000); print('end')")
    assert (finished.errors, finished.output) == ("x" * 1000, b"end\n")


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["/no/such/program"], "can't be run: No such file or directory"),
        (["/"], "can't be run: Permission denied"),
        (["a\0b"], "can't be run: embedded null byte"),
    ],
    ids=["nothing", "a folder", "no name"],
)
def test_what_cannot_be_started_is_said(command, what):
    with pytest.raises(ProcessError, match=what):
        run(command, seconds=1, output_max=1)


def test_what_takes_too_long_is_ended_with_all_that_it_started():
    # The child holds stdout open: nothing would end if it stayed.
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {FOREVER!r}])"
    with pytest.raises(ProcessError, match=r"took longer than 0\.5 seconds, and was ended"):
        python(code, seconds=0.5)


def test_what_writes_too_much_is_ended():
    with pytest.raises(ProcessError, match="wrote more than 1 MiB"):
        python("import sys\nwhile True: sys.stdout.write('x' * 65536)")


def test_an_interrupt_ends_the_process(monkeypatch):
    started = []
    popen = subprocess.Popen

    def remember(*args, **kwargs):
        started.append(popen(*args, **kwargs))
        return started[0]

    def interrupted(pipe, size):
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return b""

    monkeypatch.setattr(subprocess, "Popen", remember)
    monkeypatch.setattr(process, "_read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        python(FOREVER)
    assert started[0].returncode == -9
