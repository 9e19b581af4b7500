"""T7: what a call leaves behind when it is over, however it ended, is nothing."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections import Counter

import pytest
from support import schema
from support.asgi import Request, http_scope
from support.clock import virtual_time
from support.dialects import DIALECTS
from support.schema import packed

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.server.asgi import Server


async def echo(request, ctx):
    match request.text:
        case "raise":
            raise ConnectError(Code.ABORTED, "as asked", [schema.note("why")])
        case "wait":
            await asyncio.Event().wait()
    return {"text": request.text}


async def chat(requests, ctx):
    async for request in requests:
        yield await echo(request, ctx)


HANDLERS = {"Echo": echo, "Chat": chat}
ENDS = ("ok", "raise", "deadline", "client gone", "too large", "early", "cancelled")


async def one_call(app, dialect, method, end):
    streaming = method == "Chat"
    head = dialect.head(streaming) | (dialect.until(5) if end in ("ok", "deadline") else {})
    request = Request(app, http_scope(schema.path(method), headers=head, early=end != "early"))
    text = {"raise": "raise", "early": "raise", "too large": "x" * 2000}.get(end, "wait")
    request.push(dialect.pack(packed("hello" if end == "ok" else text), streaming), more=False)
    request.start()
    if end in ("client gone", "cancelled"):
        await request.until(lambda: request.asking)
        request.disconnect() if end == "client gone" else request.task.cancel()
    await asyncio.wait([request.task])
    assert request.task.cancelled() == (end == "cancelled")
    assert request.complete == (end not in ("client gone", "cancelled"))


def ours():
    """How many objects there are of each class of the package."""
    kinds = (type(thing) for thing in gc.get_objects())
    return Counter(kind.__qualname__ for kind in kinds if str(kind.__module__).startswith("dynconnect."))


async def test_t7_ten_thousand_calls_leave_nothing_behind():
    app = Server(schema.generation(HANDLERS), limits=Limits(read_max_bytes=1000))
    kinds = list(itertools.product(DIALECTS, HANDLERS, ENDS))

    async def calls(times):
        for _ in range(times):
            await asyncio.gather(*(one_call(app, *kind) for kind in kinds))

    with virtual_time():
        await calls(2)
        gc.collect()
        before = ours()
        await calls(10_000 // len(kinds) + 1)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        gc.collect()
        assert ours() == before
        assert app.generations.running(app.generations.current) == 0
        # Timers that were cancelled stay in the loop's heap until it is swept, but not without end.
        assert len(asyncio.get_running_loop()._scheduled) < 1000


@pytest.mark.parametrize("end", ["ok", "client gone"])
async def test_t7_a_call_is_freed_without_waiting_for_the_collector(end):
    app = Server(schema.generation(HANDLERS))
    with virtual_time():
        for dialect, method in itertools.product(DIALECTS, HANDLERS):
            await one_call(app, dialect, method, end)
        gc.collect()
        before = ours()
        gc.disable()
        try:
            for dialect, method in itertools.product(DIALECTS, HANDLERS):
                await one_call(app, dialect, method, end)
            after = ours()
        finally:
            gc.enable()
    assert after == before
