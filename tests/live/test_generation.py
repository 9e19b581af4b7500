from __future__ import annotations

import dataclasses
import weakref

import pytest
from support.shop import method, shop

from dynconnect.live.generation import Generation, Route
from dynconnect.rpc.handler import unimplemented


def test_neither_a_generation_nor_a_route_changes():
    route = Route(method("Chat"), unimplemented, None, shop().codecs)
    generation = Generation(1, "hash", shop(), {"/x": route})
    with pytest.raises(dataclasses.FrozenInstanceError):
        generation.number = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        route.bound_by = "a.py:1"


def test_a_generation_is_itself_and_may_be_watched():
    one, two = Generation(1, "hash", shop(), {}), Generation(1, "hash", shop(), {})
    assert one != two
    assert len({one, two}) == 2
    assert weakref.ref(one)() is one


def test_a_generation_without_plugins_has_nothing_to_close():
    generation = Generation(1, "hash", shop(), {})
    generation.close()
    assert generation.plugins is None
