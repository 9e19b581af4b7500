"""Codecs are compiled before the first call wants them, for what has a handler and serves now."""

from __future__ import annotations

import asyncio

from support import schema

from dynconnect.live.generation import Generation, Route
from dynconnect.rpc.handler import stream_of, unimplemented
from dynconnect.schema.codec import Binary
from dynconnect.server.asgi import Server
from dynconnect.server.warming import Warmer


class Codec(Binary):
    """Counts what it is told to warm, in two steps each."""

    def __init__(self):
        super().__init__()
        self.warmed = []

    def warm(self, cls):
        self.warmed.append(cls.DESCRIPTOR.name)
        yield
        self.warmed.append("done")
        yield


def generation(codec, number=1, bound=("Echo",)):
    routes = {}
    for method in schema.schema().services[schema.SERVICE]:
        has = method.name in bound
        stream = stream_of(method, None) if has else unimplemented
        routes[method.path] = Route(method, stream, "a.py:1" if has else None, {"json": codec})
    return Generation(number, "hash", schema.schema(), routes)


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_messages_of_bound_methods_are_warmed_a_step_at_a_time():
    codec = Codec()
    Warmer().warm(generation(codec))
    assert codec.warmed == []
    await asyncio.sleep(0)
    assert codec.warmed == ["Note"]
    await settle()
    assert codec.warmed == ["Note", "done"] * 2


async def test_a_newer_generation_takes_the_turn():
    old, new = Codec(), Codec()
    warmer = Warmer()
    warmer.warm(generation(old))
    await asyncio.sleep(0)
    warmer.warm(generation(new, 2))
    await settle()
    assert (old.warmed, new.warmed) == (["Note"], ["Note", "done"] * 2)


async def test_a_server_warms_what_it_begins_with_and_what_follows():
    first, second = Codec(), Codec()
    app = Server(generation(first))
    await settle()
    app.generations.swap(generation(second, 2, bound=()))
    await settle()
    assert (len(first.warmed), second.warmed) == (4, [])


def test_without_an_event_loop_nothing_happens():
    codec = Codec()
    Warmer().warm(generation(codec))
    assert codec.warmed == []
