from __future__ import annotations

import asyncio
import gc
import sys
import weakref

import pytest
from support.clock import virtual_time
from support.shop import ORDERS, make_schema, shop

from dynconnect.live import generations as generations_module
from dynconnect.live.build import build
from dynconnect.live.generation import Generation
from dynconnect.live.generations import Generations
from dynconnect.plugins import handles
from dynconnect.plugins.handles import current_schema
from dynconnect.rpc.context import Context
from dynconnect.rpc.metadata import Metadata


class Modules:
    """Plugins that tell when they are let go."""

    def __init__(self):
        self.closed = 0

    def close(self):
        self.closed += 1


class Call:
    """A call that tells when it is cut."""

    def __init__(self):
        self.cuts = 0

    def cut(self, why):
        self.cuts += 1
        self.why = why


def generation(number=1, schema=None):
    return Generation(number, f"hash {number}", schema or shop(), {}, (), Modules())


@pytest.fixture(autouse=True)
def no_schema(monkeypatch):
    monkeypatch.setattr(handles, "_newest", [])


@pytest.fixture
def collections(monkeypatch):
    """The garbage collections that were asked for."""
    asked = []
    monkeypatch.setattr(generations_module.gc, "collect", lambda: asked.append(1))
    return asked


def test_a_call_takes_the_current_generation_and_keeps_it():
    one, two = generation(1), generation(2)
    live = Generations(one)
    assert live.enter(Call().cut) is one
    assert live.swap(two) is one
    assert (live.current, live.enter(Call().cut)) == (two, two)
    assert (live.running(one), live.running(two)) == (1, 1)


def test_an_old_generation_is_let_go_after_its_last_call(collections):
    one, two = generation(1), generation(2)
    live = Generations(one)
    first, second = Call(), Call()
    live.enter(first.cut)
    live.enter(second.cut)
    live.swap(two)
    live.leave(one, second.cut)
    assert (live.draining, one.plugins.closed, collections) == ((one,), 0, [])
    live.leave(one, first.cut)
    assert (live.draining, one.plugins.closed, collections) == ((), 1, [1])
    assert live.running(one) == 0


def test_an_idle_generation_is_let_go_at_the_swap(collections):
    one = generation(1)
    live = Generations(one)
    call = Call()
    live.leave(live.enter(call.cut), call.cut)
    assert (one.plugins.closed, collections) == (0, [])
    live.swap(generation(2))
    assert (one.plugins.closed, collections) == (1, [1])


def test_several_generations_drain_side_by_side():
    each, calls = [generation(number) for number in range(4)], [Call() for _ in range(3)]
    live = Generations(each[0])
    for new, call in zip(each[1:], calls, strict=True):
        live.enter(call.cut)
        live.swap(new)
    assert live.draining == tuple(each[:3])
    live.leave(each[1], calls[1].cut)
    assert live.draining == (each[0], each[2])


def test_a_call_has_the_schema_of_its_generation():
    one, two = generation(1, make_schema()), generation(2, make_schema())
    live = Generations(one)
    assert current_schema() is one.schema
    running = Call()
    live.enter(running.cut)
    live.swap(two)
    assert current_schema() is one.schema
    live.leave(one, running.cut)
    assert current_schema() is two.schema


async def test_collecting_waits_for_the_call_to_be_over_and_serves_many_swaps(collections, monkeypatch):
    monkeypatch.setattr(generations_module, "COLLECT_AFTER", 0.01)
    done = asyncio.Event()
    monkeypatch.setattr(generations_module.gc, "collect", lambda: (collections.append(1), done.set()))
    each = [generation(number) for number in range(5)]
    live = Generations(each[0])
    for new in each[1:]:
        live.swap(new)
    assert collections == []
    await done.wait()
    assert [old.plugins.closed for old in each] == [1, 1, 1, 1, 0]
    assert collections == [1]
    done.clear()
    live.swap(generation(9))
    await done.wait()
    assert collections == [1, 1]


@pytest.fixture
async def clock():
    with virtual_time() as clock:
        yield clock


async def test_calls_of_an_old_generation_are_cut_when_its_time_is_over(clock, caplog):
    live = Generations(one := generation(1), drain=5)
    stays, ends = Call(), Call()
    live.enter(stays.cut)
    live.enter(ends.cut)
    live.swap(generation(2))
    await asyncio.sleep(4)
    live.leave(one, ends.cut)
    assert (stays.cuts, ends.cuts) == (0, 0)
    await asyncio.sleep(2)
    assert (stays.cuts, ends.cuts) == (1, 0)
    assert "generation 1: calls cut after 5 s: 1" in caplog.text
    assert stays.why == "the handler was replaced while the call ran; call again"


async def test_calls_of_all_generations_are_cut_when_the_server_stops():
    live = Generations(generation(1))
    calls = [Call(), Call()]
    live.enter(calls[0].cut)
    live.swap(generation(2))
    live.enter(calls[1].cut)
    assert live.cut() == 2
    assert [(call.cuts, call.why) for call in calls] == [(1, "the server stops; call again")] * 2


async def test_a_generation_that_serves_again_is_not_cut(clock):
    live = Generations(one := generation(1), drain=5)
    call = Call()
    live.enter(call.cut)
    live.swap(generation(2))
    live.swap(one)
    await asyncio.sleep(6)
    assert call.cuts == 0


async def test_without_a_limit_calls_of_an_old_generation_go_on(clock):
    live = Generations(generation(1))
    call = Call()
    live.enter(call.cut)
    live.swap(generation(2))
    await asyncio.sleep(10**6)
    assert call.cuts == 0


async def call(live):
    """One call as the server makes it."""
    task = Call()
    current = live.enter(task.cut)
    try:
        route = current.routes[f"/{ORDERS}/GetOrder"]

        async def requests():
            yield route.method.input(id="x")

        context = Context(route.method, "connect", Metadata())
        return [response.id async for response in route.stream(requests(), context)]
    finally:
        live.leave(current, task.cut)


PLUGIN = """\
from dynconnect import interceptor, service
from dynconnect_types.shop.v1 import Order
import helper

@interceptor
def count(stream):
    async def wrapped(requests, ctx):
        async for response in stream(requests, ctx):
            yield response
    return wrapped

@service("shop.v1.Orders")
class Orders:
    async def get_order(self, request, ctx):
        return Order(id=helper.TEXT, kind=Order.Kind.NEW)
    def list_orders(self, request, ctx):
        yield Order()
"""


async def test_200_swaps_leave_no_old_generation_behind(project, monkeypatch):
    monkeypatch.setattr(generations_module, "COLLECT_AFTER", 0.05)
    project.plugin(PLUGIN)
    project.plugin("TEXT = '0'", "helper")
    live = Generations(build(["shop.binpb"], ["plugins"]))
    schemas, modules, blocks = [], [], []
    for number in range(1, 201):
        project.plugin(f"TEXT = '{number}'", "helper")
        live.swap(build(["shop.binpb"], ["plugins"], number))
        assert await call(live) == [str(number)]
        schemas.append(weakref.ref(live.current.schema))
        modules.append(weakref.ref(sys.modules[f"{live.current.plugins.space.name}.plugins.helper"]))
        if number in (100, 200):
            await asyncio.sleep(0.1)
            blocks.append(sys.getallocatedblocks())
    assert [at for at, schema in enumerate(schemas) if schema() is not None] == [199]
    assert [at for at, module in enumerate(modules) if module() is not None] == [199]
    assert blocks[1] - blocks[0] < 2000, "one swap takes some thousand objects, and 100 leave few"
    live.current.close()


async def test_a_call_that_runs_across_a_swap_ends_on_its_own_generation(project):
    project.plugin("""\
        import asyncio
        from dynconnect import service
        from dynconnect_types.shop.v1 import Order
        ENTERED, GO = asyncio.Event(), asyncio.Event()
        @service("shop.v1.Orders")
        class Orders:
            async def get_order(self, request, ctx):
                ENTERED.set()
                await GO.wait()
                import helper
                return Order(id=helper.TEXT)
        """)
    project.plugin("TEXT = 'old'", "helper")
    live = Generations(build(["shop.binpb"], ["plugins"]))
    old = sys.modules[f"{live.current.plugins.space.name}.plugins.orders"]
    running = asyncio.ensure_future(call(live))
    await old.ENTERED.wait()
    project.plugin("TEXT = 'new'", "helper")
    live.swap(build(["shop.binpb"], ["plugins"], 2))
    new = sys.modules[f"{live.current.plugins.space.name}.plugins.orders"]
    new.GO.set()
    assert await call(live) == ["new"]
    old.GO.set()
    assert await running == ["old"]
    live.current.close()
    gc.collect()
