"""Logging of the command line: one line an event, on stderr, with its time and level."""

from __future__ import annotations

import logging

LEVELS = ("debug", "info", "warning", "error")

_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"

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
    logging.basicConfig(level=level.upper(), format=_FORMAT)
    for name, least in _TALKATIVE.items():
        logging.getLogger(name).setLevel(least)
    if traceback:
        logging.getLogger("dynconnect.plugins").setLevel(logging.DEBUG)
