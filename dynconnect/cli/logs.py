"""Logging of the command line: one line an event, on stderr, with its time and level."""

from __future__ import annotations

import logging

LEVELS = ("debug", "info", "warning", "error")

_HEAD = "%(asctime)s %(levelname)-7s"

# One line for each header or each frame would drown what --log-level debug is asked for; asyncio's
# warnings tell of clients that have gone.
_TALKATIVE = {
    "hpack": logging.WARNING,
    "h2": logging.WARNING,
    "watchfiles": logging.WARNING,
    "asyncio": logging.ERROR,
}


def configure(level: str, *, traceback: bool) -> None:
    """Log what is at *level* or above, of this package, of plugins and of anything they use.

    With *traceback*, what a plugin raises while it is loaded is logged whole.
    """
    _configure(level, f"{_HEAD} %(message)s", traceback=traceback)


def configure_worker(number: int, level: str, *, traceback: bool) -> None:
    """Log like `configure`, and in each line the *number* of this worker process."""
    _configure(level, f"{_HEAD} worker {number}: %(message)s", traceback=traceback)


def _configure(level: str, form: str, *, traceback: bool) -> None:
    logging.basicConfig(level=level.upper(), format=form)
    for name, least in _TALKATIVE.items():
        logging.getLogger(name).setLevel(least)
    if traceback:
        logging.getLogger("dynconnect.plugins").setLevel(logging.DEBUG)
