"""A server in memory that reloads a project on disk, and hears what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx

from dynconnect.live.build import build_in_thread
from dynconnect.live.inputs import Inputs, Watched
from dynconnect.live.news import News
from dynconnect.live.reload import Reloader
from dynconnect.server.asgi import Server

GUARD = 10.0
"""Seconds after which a test that waits has failed."""

N = TypeVar("N", bound=News)


class Reloading:
    """A server, its reloader, and all news so far."""

    def __init__(self, server: Server, reloader: Reloader) -> None:
        self.server, self.reloader = server, reloader
        self.news: list[News] = []
        self._told = asyncio.Event()

    def tell(self, news: News) -> None:
        self.news.append(news)
        self._told.set()

    async def next(self, kind: type[N]) -> N:
        """Wait for the first news that is of *kind*, and forget what came before it."""
        async with asyncio.timeout(GUARD):
            while True:
                while self.news:
                    first = self.news.pop(0)
                    if isinstance(first, kind):
                        return first
                self._told.clear()
                await self._told.wait()

    async def post(self, method: str, body: dict | None = None) -> httpx.Response:
        """A unary Connect call in JSON."""
        transport = httpx.ASGITransport(self.server)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            return await http.post(f"/{method}", json=body or {})


@asynccontextmanager
async def reloading(
    *schema: str, plugins: tuple[str, ...] = ("plugins",), watch: bool = True, **options: object
) -> AsyncIterator[Reloading]:
    """A server of *schema* and *plugins* in the working directory, which reloads; `build` may be another."""
    watched = Watched(Inputs(schema, plugins))
    seen = watched.contents()
    server = Server(await build_in_thread(schema, plugins), dev=True)
    options.setdefault("build", lambda number, before: build_in_thread(schema, plugins, number, before))
    reloader = Reloader(server.generations, watched, tell=lambda news: found.tell(news), seen=seen, **options)
    found = Reloading(server, reloader)
    async with reloader.running(watch=watch):
        if watch:
            async with asyncio.timeout(GUARD):
                await reloader.watching.wait()
        yield found
    await server.generations.aclose()
