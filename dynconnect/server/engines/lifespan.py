"""The lifespan of an application, for servers whose own would tie us to their way to stop.

Source: ASGI, "Lifespan Protocol" 2.0.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dynconnect.server.asgi_call import App, Message

log = logging.getLogger(__name__)


class LifespanError(Exception):
    """The application said that it can't start."""


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[dict[str, Any]]:
    """Start *app*, and stop it at the end; what it shares with its calls.

    Raises:
        LifespanError: with what the application says.
    """
    state: dict[str, Any] = {}  # Any: it is the application's
    channel = _Channel()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    task = asyncio.ensure_future(app(scope, channel.receive, channel.send))
    try:
        answer = await channel.ask("lifespan.startup", task)
        if answer["type"] == "lifespan.startup.failed":
            raise LifespanError(answer.get("message") or "the application failed to start")
        yield state
        answer = await channel.ask("lifespan.shutdown", task)
        if answer["type"] == "lifespan.shutdown.failed":
            log.error("the application failed to stop: %s", answer.get("message", ""))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Channel:
    """What server and application say to each other, one question at a time."""

    def __init__(self) -> None:
        self._asked: asyncio.Queue[Message] = asyncio.Queue()
        self._answered: asyncio.Queue[Message] = asyncio.Queue()

    async def receive(self) -> Message:
        return await self._asked.get()

    async def send(self, message: Message) -> None:
        self._answered.put_nowait(message)

    async def ask(self, question: str, task: asyncio.Future[None]) -> Message:
        """The application's answer; an empty one if it knows no lifespan, as it then ends or raises."""
        self._asked.put_nowait({"type": question})
        answer = asyncio.ensure_future(self._answered.get())
        either: set[asyncio.Future[Any]] = {answer, task}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.debug("the application takes no part in the lifespan: %r", fault)
        return {"type": ""}
