"""The service that every client calls, written as any user writes a plugin."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from dynconnect import Code, ConnectError, service

STARTED, CANCELLED = 1, 2


@service("interop.v1.InteropService")
class Interop:
    def __init__(self):
        # (key of a Wait, stage): set once it got that far
        self.reached_events = defaultdict(asyncio.Event)

    async def echo(self, request, ctx):
        for value in ctx.request_headers.getall("x-echo-initial"):
            ctx.response_headers.add("x-echo-initial", value)
        for value in ctx.request_headers.get_binary("x-echo-trailing-bin"):
            ctx.response_trailers.add_binary("x-echo-trailing-bin", value)
        return {
            "everything": request.everything,
            "protocol": ctx.protocol,
            "http_method": ctx.http_method,
            "timeout_ms": None if ctx.timeout_ms is None else int(ctx.timeout_ms),
        }

    look = echo

    async def count(self, request, ctx):
        for number in range(1, request.up_to + 1):
            yield {"number": number}
        if request.then_fail:
            raise _not_found()

    async def sum(self, requests, ctx):
        return {"sum": sum([request.number async for request in requests])}

    async def chat(self, requests, ctx):
        async for request in requests:
            yield {"text": request.text.upper()}

    async def fail(self, request, ctx):
        raise _not_found()

    async def wait(self, request, ctx):
        self.reached_events[request.key, STARTED].set()
        try:
            await asyncio.Event().wait()
        finally:
            self.reached_events[request.key, CANCELLED].set()

    async def reached(self, request, ctx):
        await self.reached_events[request.key, request.stage].wait()
        return {}


def _not_found():
    details = [
        {"@type": "interop.v1.Missing", "name": "☃"},
        {"@type": "google.protobuf.Timestamp", "seconds": 90},
    ]
    return ConnectError(Code.NOT_FOUND, "no ☃ at 100%\n", details)
