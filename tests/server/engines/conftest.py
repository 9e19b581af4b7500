"""Every test of an engine runs on asyncio's event loop, and on uvloop's where that is installed."""

from __future__ import annotations

import asyncio

from dynconnect.server.engines.run import loop_factory


def pytest_asyncio_loop_factories():
    factories = {"asyncio": asyncio.new_event_loop}
    if (uvloop := loop_factory()) is not None:
        factories["uvloop"] = uvloop
    return factories
