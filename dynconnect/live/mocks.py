"""Answers of methods that nobody has written a handler for: shaped by the schema, and the same each time."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator
from typing import Any

from google.protobuf.message import Message

from dynconnect.rpc.context import Context
from dynconnect.rpc.handler import Handler, Requests
from dynconnect.schema.method import Method
from dynconnect.schema.plausible import copy_alike, plausible

SOURCE = "dynconnect-source"
"""The response header that says so."""
STREAMED = 3
"""How many messages a server stream has,"""
PAUSE = 0.3
"""and how many seconds lie between them."""


def mock_of(method: Method) -> Handler:
    """A handler in the shape of *method*."""

    # Any: message classes are made at run time.
    async def unary(request: Any, ctx: Context) -> Message:
        ctx.response_headers[SOURCE] = "mock"
        return _answer(method, request)

    async def server_stream(request: Any, ctx: Context) -> AsyncGenerator[Message, None]:
        ctx.response_headers[SOURCE] = "mock"
        for number in range(STREAMED):
            if number:
                await asyncio.sleep(PAUSE)
            yield _answer(method, request, number)

    async def client_stream(requests: Requests, ctx: Context) -> Message:
        ctx.response_headers[SOURCE] = "mock"
        last = method.input()
        async for request in requests:
            last = request
        return _answer(method, last)

    async def bidi_stream(requests: Requests, ctx: Context) -> AsyncGenerator[Message, None]:
        ctx.response_headers[SOURCE] = "mock"
        async for request in requests:
            yield _answer(method, request)

    if method.client_streaming:
        return bidi_stream if method.server_streaming else client_stream
    return server_stream if method.server_streaming else unary


def _answer(method: Method, request: Message, number: int = 0) -> Message:
    """The response to *request*, the *number*-th of a stream: the same whenever it is asked for."""
    asked = request.SerializePartialToString(deterministic=True)
    seed = hashlib.sha256(f"{method.full_name} {number} ".encode() + asked).digest()
    answer = plausible(method.output, random.Random(seed))  # noqa: S311  nothing secret comes of it
    copy_alike(request, answer)
    return answer
