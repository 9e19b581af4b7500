"""The calls that run in a server: which they are, and how they are cut."""

from __future__ import annotations

import asyncio
from typing import cast

from dynconnect.server.asgi_call import App, Receive, Scope, Send

CUT_TIMEOUT = 1.0
"""Seconds for calls to tidy up once they are cancelled, and again for connections to close after that."""

WAITING = "waiting for running calls: %d, for %g s at most, or a second signal"
"""What is said at the first signal: how many calls, and how long."""


class Calls:
    """The application, and the tasks that run in it."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.running: set[asyncio.Task[object]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A call, or the lifespan, which is none."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        task = current_task()
        self.running.add(task)
        try:
            return await self._app(scope, receive, send)
        finally:
            self.running.discard(task)


def current_task() -> asyncio.Task[object]:
    """The task that asks; there must be one."""
    return cast("asyncio.Task[object]", asyncio.current_task())
