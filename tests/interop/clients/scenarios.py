"""The part of a client program that does not depend on its library; scenarios.mjs is its twin."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterable
from typing import Any

# Seconds that any call may take that has no deadline to show.
TIMEOUT = 20

# What the scenario `metadata` sends.
SENT_INITIAL, SENT_TRAILING = ["one", "two"], b"\x00\xff\x80"


def task() -> dict[str, Any]:
    """What the test asks for; README.md lists the members."""
    return json.loads(sys.argv[1])


def report(names: Iterable[str], scenarios: object) -> None:
    """Run each of the methods *names* and print what it returned, or how it failed."""
    found = {}
    for name in names:
        try:
            found[name] = getattr(scenarios, name)()
        except Exception:  # noqa: BLE001  the test shows it
            found[name] = {"exception": traceback.format_exc()}
    json.dump(found, sys.stdout)
