"""The lifespan of a server that is an ASGI application: what it opens first and closes last.

Round that of the application behind it, if there is one.
Source: ASGI, Lifespan Protocol 2.0.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dynconnect.schema.finding import FindingsError
from dynconnect.server.asgi_call import App, Message, Receive, Scope, Send

_ENDS = ("lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed")


async def lifespan(
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    fallback: App | None,
    begin: Callable[[], Awaitable[None]],
    end: Callable[[], Awaitable[None]],
) -> None:
    """Run *begin* before the lifespan of *fallback* and *end* after it. Findings fail the startup."""
    waiting = [await receive()]
    try:
        await begin()
    except FindingsError as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    async def send_at_last(event: Message) -> None:
        if event["type"] in _ENDS:
            await end()
        await send(event)

    await (fallback or alone)(scope, receive_again, send_at_last)


async def alone(_scope: Scope, receive: Receive, send: Send) -> None:
    """The lifespan of an application that has nothing to begin or end."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
