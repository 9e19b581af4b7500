"""A server as slow as its caller asks, to see what a client does with its timeouts.

    dynconnect serve api.binpb --plugins plugins/slow_down.py --plugins my_plugins/
    curl --header "x-slow-down-ms: 1500" --header "connect-timeout-ms: 1000" …

The call above ends in `deadline_exceeded`. Each response waits for that long, so a stream comes in
drips. Calls without the header are as fast as ever. This is for tests: leave it out where strangers call.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from dynconnect import Code, ConnectError, Context, Requests, Responses, Stream, interceptor

HEADER = "x-slow-down-ms"
LONGEST_MS = 60_000


@interceptor
def slow_down(stream: Stream) -> Stream:
    async def slowed(requests: Requests, ctx: Context) -> Responses:
        seconds = delay(ctx.request_headers.get(HEADER, "0"))
        async with aclosing(stream(requests, ctx)) as responses:
            async for response in responses:
                if seconds:
                    await asyncio.sleep(seconds)
                yield response

    return slowed


def delay(value: str) -> float:
    """Seconds in a value of the header.

    Raises:
        ConnectError: INVALID_ARGUMENT unless it is a whole number of milliseconds, a minute at most.
    """
    if value.isascii() and value.isdecimal() and len(value) <= 5 and int(value) <= LONGEST_MS:
        return int(value) / 1000
    raise ConnectError(Code.INVALID_ARGUMENT, f"{HEADER}: {value!r} is no number from 0 to {LONGEST_MS}")
