"""Keys in the terminal of `dynconnect dev`: one letter, one thing done, no Enter."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import click

WORDS = {"r": "reload", "l": "list", "u": "undo", "q": "quit"}
"""What each key does."""

Actions = Mapping[str, Callable[[], object]]
"""What does it, by key."""


@contextmanager
def listening(actions: Actions) -> Iterator[None]:
    """Within it, a key that is pressed in the terminal does what *actions* say; without one, nothing.

    Any other key says which there are. Ctrl-C and Ctrl-Z are the terminal's, as ever.
    """
    descriptor = _terminal()
    if descriptor is None:
        yield
        return
    import termios  # not on every system; `_terminal` has seen that it is here
    import tty

    def read() -> None:
        for key in os.read(descriptor, 64).decode("ascii", "ignore"):
            press(key, actions)

    loop = asyncio.get_running_loop()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSANOW)
    loop.add_reader(descriptor, read)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


def press(key: str, actions: Actions) -> None:
    """Do what *key* stands for."""
    if key in actions:
        actions[key]()
    elif key.isprintable():
        _help()


def quit_server() -> None:
    """End this process as Ctrl-C does."""
    signal.raise_signal(signal.SIGINT)


def offer() -> None:
    """Say which keys there are, if there is a terminal to press them in."""
    if _terminal() is not None:
        _help()


def _help() -> None:
    click.secho("  ".join(f"{key} {word}" for key, word in WORDS.items()), dim=True, err=True)


def _terminal() -> int | None:
    """The descriptor of the terminal, if we are its foreground job; a job behind would be stopped by it."""
    try:
        descriptor = sys.stdin.fileno()
        return descriptor if os.tcgetpgrp(descriptor) == os.getpgrp() else None
    except (OSError, ValueError, AttributeError):  # AttributeError: no stdin, or no terminals here
        return None
