"""A line in the log for every call: its protocol, method, outcome and duration.

    dynconnect serve api.binpb --plugins plugins/access_log.py --plugins my_plugins/

    [Say 5f3a91c2] connect connectrpc.eliza.v1.ElizaService.Say ok 1 response 0.4 ms

Name it before other interceptors: what is found first is outermost, so that it also sees what they
refuse, and its time includes theirs. The id is the one that the server's own log lines have.
"""

from __future__ import annotations

import logging
import time
from contextlib import aclosing

from dynconnect import ConnectError, Context, Requests, Responses, Stream, interceptor

LEVEL = logging.INFO


@interceptor
def access_log(stream: Stream) -> Stream:
    async def logged(requests: Requests, ctx: Context) -> Responses:
        begin = time.perf_counter()
        count, outcome = 0, ""
        try:
            async with aclosing(stream(requests, ctx)) as responses:
                async for response in responses:
                    count += 1
                    yield response
            outcome = "ok"
        except ConnectError as error:
            outcome = error.code.value
            raise
        except Exception:
            outcome = "unknown"  # what the caller is told, and all it is told
            raise
        finally:
            ms = (time.perf_counter() - begin) * 1000
            ctx.log.log(
                LEVEL,
                "%s %s %s %d %s %.1f ms",
                *(ctx.protocol, ctx.method.full_name, outcome or cut_off(ctx)),
                *(count, "response" if count == 1 else "responses", ms),
            )

    return logged


def cut_off(ctx: Context) -> str:
    """The outcome of a call that neither ended nor failed: its time was up, or its caller left."""
    return "deadline_exceeded" if ctx.timeout_ms == 0 else "canceled"
