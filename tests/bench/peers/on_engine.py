"""The application that does nothing on one of our engines: ``python on_engine.py ENGINE PORT``."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager

from apps import nothing

from dynconnect.server.engines import table
from dynconnect.server.engines.endpoint import open_endpoint
from dynconnect.server.engines.run import Served, run
from dynconnect.server.engines.settings import Settings


@asynccontextmanager
async def program():
    yield Served(nothing, lambda: None)


if __name__ == "__main__":
    name, port = sys.argv[1:]
    with open_endpoint(Settings(port=int(port))) as endpoint:
        run(table.ENGINES[name].load(), program(), endpoint, on_ready=lambda: None)
