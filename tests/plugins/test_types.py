from __future__ import annotations

import gc
import importlib
import sys
import weakref

import pytest
from support.shop import make_schema, shop

from dynconnect.plugins import handles, types
from dynconnect.plugins.handles import EnumHandle, MessageHandle, running

OTHER = 'syntax = "proto3"; package shop.v2; message Parcel {} enum Size { SMALL = 0; LARGE = 2; }'


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(handles, "_newest", [])
    with running(shop()):
        yield
    for name in [name for name in sys.modules if name.partition(".")[0] == types.ROOT]:
        del sys.modules[name]


def take(text):
    names = {}
    exec(text, names)  # noqa: S102  imports as they are written
    return names


def test_messages_enums_and_values_are_imported_by_their_package():
    names = take("from dynconnect_types.shop.v1 import Order, Color, BLUE")
    assert (type(names["Order"]), type(names["Color"]), names["BLUE"]) == (MessageHandle, EnumHandle, 1)
    assert names["Order"](id="x").id == "x"
    assert (names["Order"].__module__, names["Order"].__name__) == ("dynconnect_types.shop.v1", "Order")


WAYS = [
    "import dynconnect_types.shop.v1 as v1\nOrder = v1.Order",
    "import dynconnect_types.shop.v1\nOrder = dynconnect_types.shop.v1.Order",
    "from dynconnect_types.shop import v1\nOrder = v1.Order",
    "from dynconnect_types import shop\nOrder = shop.v1.Order",
    "from dynconnect_types.shop.v1 import *",
    "from dynconnect_types.shop.v1 import Order as Order",
]


@pytest.mark.parametrize("text", WAYS)
def test_every_way_to_import_leads_to_the_handle(text):
    assert repr(take(text)["Order"]) == "<message shop.v1.Order>"


def test_a_star_takes_the_types_and_values_of_a_package():
    names = take("from dynconnect_types.shop.v1 import *")
    assert set(names) - {"__builtins__"} == {"Order", "Color", "RED", "BLUE"}
    assert dir(importlib.import_module("dynconnect_types.shop.v1")) == ["BLUE", "Color", "Order", "RED"]
    assert dir(importlib.import_module("dynconnect_types.shop")) == []


def test_types_without_a_package_are_at_the_top():
    with running(make_schema('syntax = "proto3"; message Bare {}', "bare.proto")):
        assert repr(take("from dynconnect_types import Bare")["Bare"]) == "<message Bare>"


TIMES = """
syntax = "proto3";
import "google/protobuf/timestamp.proto";
message M { google.protobuf.Timestamp at = 1; }
"""


def test_imported_types_of_others_are_there():
    with running(make_schema(TIMES, "t.proto")):
        stamp = take("from dynconnect_types.google.protobuf import Timestamp")["Timestamp"]
        assert stamp(seconds=3).ToSeconds() == 3


REFUSALS = [
    pytest.param(
        "from dynconnect_types.shop.v1 import Ordr",
        "the schema has no shop.v1.Ordr: did you mean Order?",
        id="message",
    ),
    pytest.param(
        "from dynconnect_types.shop.v1 import BLU",
        "the schema has no shop.v1.BLU: did you mean BLUE?",
        id="value",
    ),
    pytest.param(
        "from dynconnect_types.shop.v1 import Zzz", "the schema has no shop.v1.Zzz", id="nothing alike"
    ),
    pytest.param(
        "from dynconnect_types.shop import Order",
        "no shop.Order: it is in dynconnect_types.shop.v1",
        id="other package",
    ),
    pytest.param(
        "from dynconnect_types import Order", "no Order: it is in dynconnect_types.shop.v1", id="at the top"
    ),
    pytest.param(
        "import dynconnect_types.shop.v3",
        "no package shop.v3: did you mean dynconnect_types.shop.v1?",
        id="package",
    ),
    pytest.param("import dynconnect_types.zzz", "the schema has no package zzz", id="no such package"),
    pytest.param("import dynconnect_types.shop.v1 as v1\nv1.Ordr", "did you mean Order?", id="by attribute"),
]


@pytest.mark.parametrize(("text", "message"), REFUSALS)
def test_what_the_schema_does_not_have_is_an_import_error_with_what_is_near(text, message):
    with pytest.raises(ImportError) as caught:
        take(text)
    assert str(caught.value).startswith("the schema has no ")
    assert message in str(caught.value)
    assert caught.value.name.startswith(types.ROOT)


def test_modules_follow_the_schema_that_asks():
    take("import dynconnect_types.shop.v1")
    with running(make_schema(OTHER)):
        assert take("from dynconnect_types.shop.v2 import LARGE")["LARGE"] == 2
        with pytest.raises(ImportError, match=r"no shop\.v1\.Order"):
            take("from dynconnect_types.shop.v1 import Order")
        with pytest.raises(ImportError, match=r"no shop\.v1: did you mean|no shop\.v1$"):
            take("from dynconnect_types.shop import v1")
    with pytest.raises(ImportError, match=r"no shop\.v2"):
        take("from dynconnect_types.shop import v2")


def test_without_a_schema_the_error_says_what_to_do():
    with running(None), pytest.raises(ModuleNotFoundError, match=r"no schema is loaded; in a test use"):
        take("import dynconnect_types.shop.v1")


def test_python_s_own_names_are_asked_for_in_vain_as_usual():
    module = importlib.import_module("dynconnect_types.shop.v1")
    assert not hasattr(module, "__wrapped__")
    assert not hasattr(module, "__bases__")
    assert module.__spec__.name == "dynconnect_types.shop.v1"


def test_a_folder_of_stubs_does_not_hide_the_types(tmp_path, monkeypatch):
    (tmp_path / "dynconnect_types" / "shop").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert take("from dynconnect_types.shop.v1 import BLUE")["BLUE"] == 1


def test_neither_modules_nor_handles_keep_a_schema():
    schema = make_schema(OTHER)
    with running(schema):
        names = take("from dynconnect_types.shop.v2 import Parcel, Size")
        names["Parcel"](), names["Size"].LARGE
    gone = weakref.ref(schema)
    del schema
    gc.collect()
    assert gone() is None
    assert repr(names["Parcel"]) == "<message shop.v2.Parcel>"
