"""Only callers with a key: every call must have one in its header `x-api-key`.

    export API_KEYS=first-key,second-key
    dynconnect serve api.binpb --plugins plugins/api_key.py --plugins my_plugins/
    curl --header "x-api-key: first-key" …

Two keys at a time let you hand out a new one before you take the old one back. Without any the plugin
refuses to load: a server that lets nobody in, or everybody, is not what you meant.
A call without a key is refused before its request is read, and learns no more than that.
"""

from __future__ import annotations

import os
from contextlib import aclosing
from secrets import compare_digest

from dynconnect import Code, ConnectError, Context, Requests, Responses, Stream, interceptor

HEADER = "x-api-key"
OPEN = frozenset({"grpc.health.v1.Health"})
"""Services that need no key: what looks whether the server is alive has none."""

KEYS = [key.strip().encode() for key in os.environ.get("API_KEYS", "").split(",") if key.strip()]
if not KEYS:
    raise RuntimeError("API_KEYS is empty: set it to the keys that are let in, with commas between them")


@interceptor
def api_key(stream: Stream) -> Stream:
    async def guarded(requests: Requests, ctx: Context) -> Responses:
        if ctx.method.service_name not in OPEN and not is_known(ctx.request_headers.get(HEADER, "")):
            raise ConnectError(Code.UNAUTHENTICATED, f"this server wants a valid key in the header {HEADER}")
        async with aclosing(stream(requests, ctx)) as responses:
            async for response in responses:
                yield response

    return guarded


def is_known(key: str) -> bool:
    """Whether *key* is one of ours, told in a time that does not depend on how much of it is right."""
    given = key.encode()
    # Not any(): all are compared, so that the time does not tell which one it was either.
    return sum(compare_digest(given, known) for known in KEYS) > 0
