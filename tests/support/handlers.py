"""A handler of each shape, for calls whose handler is not the matter."""

from __future__ import annotations


async def echo(request, ctx):
    return {"text": request.text.upper()}


async def count(request, ctx):
    """A response for each letter."""
    for letter in request.text:
        yield {"text": letter}


async def join(requests, ctx):
    return {"text": "".join([request.text async for request in requests])}


async def chat(requests, ctx):
    async for request in requests:
        yield {"text": request.text.upper()}


HANDLERS = {"Echo": echo, "Look": echo, "Count": count, "Sum": join, "Chat": chat}
