from __future__ import annotations

import asyncio
import gc
import sys
import weakref

import pytest
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
    assert live.enter() is one
    assert live.swap(two) is one
    assert (live.current, live.enter()) == (two, two)
    assert (live.running(one), live.running(two)) == (1, 1)


def test_an_old_generation_is_let_go_after_its_last_call(collections):
    one, two = generation(1), generation(2)
    live = Generations(one)
    live.enter()
    live.enter()
    live.swap(two)
    live.leave(one)
    assert (live.draining, one.plugins.closed, collections) == ((one,), 0, [])
    live.leave(one)
    assert (live.draining, one.plugins.closed, collections) == ((), 1, [1])
    assert live.running(one) == 0


def test_an_idle_generation_is_let_go_at_the_swap(collections):
    one = generation(1)
    live = Generations(one)
    live.leave(live.enter())
    assert (one.plugins.closed, collections) == (0, [])
    live.swap(generation(2))
    assert (one.plugins.closed, collections) == (1, [1])


def test_several_generations_drain_side_by_side():
    each = [generation(number) for number in range(4)]
    live = Generations(each[0])
    for new in each[1:]:
        live.enter()
        live.swap(new)
    assert live.draining == tuple(each[:3])
    live.leave(each[1])
    assert live.draining == (each[0], each[2])


def test_a_call_has_the_schema_of_its_generation():
    one, two = generation(1, make_schema()), generation(2, make_schema())
    live = Generations(one)
    assert current_schema() is one.schema
    live.enter()
    live.swap(two)
    assert current_schema() is one.schema
    live.leave(one)
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


async def call(live):
    """One call as the server makes it."""
    current = live.enter()
    try:
        route = current.routes[f"/{ORDERS}/GetOrder"]

        async def requests():
            yield route.method.input(id="x")

        context = Context(route.method, "connect", Metadata())
        return [response.id async for response in route.stream(requests(), context)]
    finally:
        live.leave(current)


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
