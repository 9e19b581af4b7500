"""What the engine suite serves: one application on every engine, whose handlers its tests can follow."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from support import schema
from support.asgi import GUARD
from support.serving import serving

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.server.asgi import Server

ENGINES = {
    "hypercorn, own http2": partial(serving, http2="own"),
    "hypercorn": partial(serving, http2="hypercorn"),
    "uvicorn": partial(serving, engine="uvicorn"),
}
"""By name, what serves an application and gives its URL."""
# A longer drain than by default, so that a busy machine fails no test.
LIMITS = Limits(read_max_bytes=1_000_000, drain_max_bytes=64_000_000, drain_timeout=3.0)


class Notes:
    """The handlers, and how far they got."""

    def __init__(self) -> None:
        self._stages: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.url = ""

    async def reach(self, stage: str) -> None:
        """Wait until *stage* is reached."""
        async with asyncio.timeout(GUARD):
            await self._stages[stage].wait()

    def reached(self, stage: str) -> bool:
        return self._stages[stage].is_set()

    def set(self, stage: str) -> None:
        self._stages[stage].set()

    async def echo(self, request, ctx):
        for value in ctx.request_headers.getall("x-ask"):
            ctx.response_headers.add("x-leading", value)
            ctx.response_trailers.add("x-trailing", value)
        for value in ctx.request_headers.get_binary("x-ask-bin"):
            ctx.response_trailers.add_binary("x-trailing-bin", value)
        return {"text": request.text.upper(), "data": request.data}

    async def fail(self, request, ctx):
        ctx.response_headers["x-leading"] = "1"
        ctx.response_trailers["x-trailing"] = "2"
        raise ConnectError(Code.FAILED_PRECONDITION, "no ☃ at 100%\n", [schema.note("why")])

    async def count(self, request, ctx):
        """A message for each number below `number`; what comes before or after says the `text`."""
        ctx.response_headers["x-leading"] = "1"
        await ctx.send_headers()
        if request.text == "headers first":
            await self.reach("headers read")
        for number in range(request.number):
            yield {"number": number, "data": request.data}
        if request.text == "then wait":
            try:
                await asyncio.Event().wait()
            finally:
                self.set("count's finally")

    async def add(self, requests, ctx):
        total = 0
        async for request in requests:
            total += request.number
            if request.text == "enough":
                break
        return {"number": total}

    async def chat(self, requests, ctx):
        try:
            async for request in requests:
                yield {"text": request.text.upper()}
                if request.text == "bye":
                    return
        finally:
            self.set("chat's finally")


@asynccontextmanager
async def notes_on(engine: str) -> AsyncIterator[Notes]:
    """The application on *engine*; at the end it must have no call left."""
    notes = Notes()
    handlers = {"Echo": notes.echo, "Look": notes.echo, "Fail": notes.fail}
    handlers |= {"Count": notes.count, "Sum": notes.add, "Chat": notes.chat}
    app = Server(schema.generation(handlers), limits=LIMITS)
    async with ENGINES[engine](app) as notes.url:
        yield notes
    assert app.generations.running(app.generations.current) == 0, "T7"
