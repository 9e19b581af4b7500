"""The log of the command line: what is in it, and what is kept out."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial

import pytest

from dynconnect.cli import logs


@contextmanager
def configured(level, *, traceback=False, configure=logs.configure):
    """Logging as if configured for the first time, and forgotten afterwards."""
    # Not a fixture: pytest gives the root logger handlers of its own for each phase of a test.
    root = logging.getLogger()
    names = ("h2", "hpack", "asyncio", "dynconnect.plugins")
    before = {name: logging.getLogger(name).level for name in names}
    handlers, number = root.handlers[:], root.level
    root.handlers.clear()
    configure(level=level, traceback=traceback)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(number)
        for name, number in before.items():
            logging.getLogger(name).setLevel(number)


def say(*names):
    for name in names:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(name).log(level, "%s at %s", name, logging.getLevelName(level))


def test_a_line_has_its_time_and_its_level_and_goes_to_stderr(capsys):
    with configured("info"):
        say("some.plugin")
    output = capsys.readouterr()
    assert output.out == ""
    assert [line.split(maxsplit=2)[2] for line in output.err.splitlines()] == [
        "INFO    some.plugin at INFO",
        "WARNING some.plugin at WARNING",
    ]


def test_a_line_of_a_worker_has_its_number(capsys):
    with configured("warning", configure=partial(logs.configure_worker, 3)):
        say("some.plugin")
    [line] = capsys.readouterr().err.splitlines()
    assert line.split(maxsplit=2)[2] == "WARNING worker 3: some.plugin at WARNING"


def test_at_debug_level_libraries_do_not_drown_the_calls(capsys):
    with configured("debug"):
        say("dynconnect.server.dispatch", "hpack.hpack", "h2", "asyncio")
    lines = [line.split(maxsplit=3)[3] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        *(f"dynconnect.server.dispatch at {level}" for level in ("DEBUG", "INFO", "WARNING")),
        "hpack.hpack at WARNING",
        "h2 at WARNING",
    ]


@pytest.mark.parametrize("traceback", [False, True])
def test_what_plugins_raise_is_logged_whole_on_request(capsys, traceback):
    with configured("error", traceback=traceback):
        say("dynconnect.plugins.faults")
    assert ("at DEBUG" in capsys.readouterr().err) is traceback
