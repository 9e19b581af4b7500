"""The application behind the RPCs, which imports Quart only when someone asks for one of its pages."""

from __future__ import annotations

import asyncio
import logging

from dynconnect.server.asgi_call import App, Receive, Scope, Send
from dynconnect.server.asgi_lifespan import alone
from dynconnect.server.console.state import Shown
from dynconnect.server.services.statuses import Statuses

log = logging.getLogger(__name__)

PATHS = frozenset({"/healthz", "/readyz"})
"""What everybody may ask for, on every server."""
EXPLORER = "/"
"""Where the explorer is, where there is one."""
BELOW = "/-/"
"""How the paths begin of all that it is made of."""


class Console:
    """Answers at `PATHS`, at `EXPLORER` and `BELOW` it.

    Args:
        statuses: what its probes tell.
        otherwise: answers everything else.
        shown: what the explorer may show, and to whom; None if there is none.
    """

    def __init__(self, statuses: Statuses, otherwise: App, shown: Shown | None = None) -> None:
        self._statuses = statuses
        self._otherwise = otherwise
        self._shown = shown
        self._pages: App | None = None
        self._told = (
            False  # who was refused may be the one who started the server, in a container for example
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await alone(scope, receive, send)
        elif scope["type"] == "http" and self._answers(scope):
            if self._pages is None:
                # In a thread: it takes a sixth of a second, and calls go on.
                self._pages = await asyncio.to_thread(self._make)
            await self._pages(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._otherwise(scope, receive, send)

    def _make(self) -> App:
        from dynconnect.server.console.pages import pages

        return pages(self._statuses, self._shown)

    def _answers(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if path in PATHS:
            return True
        if self._shown is None or not (path == EXPLORER or path.startswith(BELOW)):
            return False
        may_look = self._shown.to(scope)
        if not (may_look or self._told):
            self._told = True
            log.warning("the explorer was asked for from elsewhere: with --explorer it is for everybody")
        return may_look
