from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref

import pytest
from support.shop import PROTO, make_schema, shop

from dynconnect.plugins import handles
from dynconnect.plugins.handles import EnumHandle, MessageHandle, enter, handle, leave, running, set_newest

Order = handle(MessageHandle, "dynconnect_types.shop.v1", "shop.v1.Order")
Color = handle(EnumHandle, "dynconnect_types.shop.v1", "shop.v1.Color")


@pytest.fixture(autouse=True)
def no_schema(monkeypatch):
    monkeypatch.setattr(handles, "_newest", [])


@pytest.fixture
def inside():
    with running(shop()):
        yield


def test_outside_a_call_a_handle_is_of_the_newest_schema():
    one, two = make_schema(), make_schema()
    set_newest(one)
    assert type(Order(id="x")) is one.message_class("shop.v1.Order")
    set_newest(two)
    assert type(Order(id="x")) is two.message_class("shop.v1.Order")


def test_inside_a_call_a_handle_is_of_the_call_s_schema():
    old, new = make_schema(), make_schema()
    set_newest(new)
    with running(old):
        assert type(Order()) is old.message_class("shop.v1.Order")
        with running(None):
            assert type(Order()) is new.message_class("shop.v1.Order")
        assert type(Order()) is old.message_class("shop.v1.Order")
    assert type(Order()) is new.message_class("shop.v1.Order")


async def test_calls_at_the_same_time_keep_their_own_schema():
    schemas = [make_schema(), make_schema()]
    barrier = asyncio.Barrier(2)

    async def call(schema):
        enter(schema)
        await barrier.wait()
        made = type(Order())
        leave()
        return made

    made = await asyncio.gather(*map(call, schemas))
    assert made == [schema.message_class("shop.v1.Order") for schema in schemas]


def test_without_any_schema_a_handle_says_what_to_do():
    with pytest.raises(LookupError, match=r"no schema is loaded; in a test use .*running\(schema\)"):
        Order()
    with pytest.raises(LookupError, match="no schema is loaded"):
        _ = Color.BLUE


def test_a_context_that_outlives_its_call_does_not_keep_the_schema():
    old, new = make_schema(), make_schema()
    set_newest(new)
    context = contextvars.copy_context()
    context.run(enter, old)
    assert type(context.run(Order)) is old.message_class("shop.v1.Order")
    gone = weakref.ref(old)
    del old
    gc.collect()
    assert gone() is None
    assert type(context.run(Order)) is new.message_class("shop.v1.Order")


def test_is_instance_holds_across_generations_and_is_strict_otherwise(inside):
    other = make_schema().message_class("shop.v1.Order")(id="x")
    item = shop().message_class("shop.v1.Order.Item")()
    assert isinstance(Order(), Order)
    assert isinstance(other, Order)
    assert isinstance(other, (int, Order))
    assert not isinstance(item, Order)
    assert not isinstance(None, Order)
    assert not isinstance(type(other), Order)
    assert issubclass(type(other), Order)
    assert issubclass(Order, Order)
    assert not issubclass(int, Order)


def test_a_message_can_be_matched(inside):
    match Order(id="x"):
        case Order(id=name):
            assert name == "x"
        case _:
            raise AssertionError


def test_handles_may_stand_in_annotations(inside):
    assert (Order | None).__args__ == (Order, type(None))
    assert list[Order].__args__ == (Order,)
    assert (Color | None).__args__ == (Color, type(None))


def test_what_the_class_has_the_handle_has(inside):
    data = Order(id="x").SerializeToString()
    assert Order.FromString(data).id == "x"
    assert Order.DESCRIPTOR.full_name == "shop.v1.Order"
    assert Order.ID_FIELD_NUMBER == 1
    assert Order.NEW == 1


def test_nested_types_are_handles_too(inside):
    old = type(Order.Item(name="n"))
    assert Order.Item is Order.Item
    assert Order.Kind.NEW == 1
    with running(make_schema()):
        assert type(Order.Item(name="n")) is not old
        assert isinstance(Order.Item(), Order.Item)
    assert repr(Order.Item) == "<message shop.v1.Order.Item>"
    assert Order(items=[Order.Item(name="n")], kind=Order.Kind.NEW).items[0].name == "n"


def test_an_enum_has_its_values_and_what_protobuf_s_enums_have(inside):
    assert (Color.RED, Color.BLUE) == (0, 1)
    assert Color.Value("BLUE") == 1
    assert Color.Name(1) == "BLUE"
    assert Color.keys() == ["RED", "BLUE"]
    assert Color.items() == [("RED", 0), ("BLUE", 1)]
    assert isinstance(1, Color)
    assert not isinstance("RED", Color)
    assert not isinstance(True, Color)
    assert repr(Color) == "<enum shop.v1.Color>"


def test_a_value_that_a_schema_renumbers_is_that_of_the_call(inside):
    with running(make_schema(PROTO.replace("BLUE = 1", "BLUE = 7"))):
        assert Color.BLUE == 7
    assert Color.BLUE == 1


REFUSALS = [
    pytest.param(
        lambda: Order.Itm, AttributeError, r"shop\.v1\.Order has no Itm: did you mean Item\?", id="nested"
    ),
    pytest.param(
        lambda: Order.NEWW, AttributeError, r"has no NEWW: did you mean NEW\?", id="a nested enum's value"
    ),
    pytest.param(lambda: Order.zzz, AttributeError, r"shop\.v1\.Order has no zzz$", id="nothing alike"),
    pytest.param(
        lambda: Color.BLU, AttributeError, r"shop\.v1\.Color has no BLU: did you mean BLUE\?", id="value"
    ),
    pytest.param(lambda: Order(idd="x"), ValueError, "has no .idd. field", id="field"),
    pytest.param(
        lambda: Color(1), TypeError, r"write Color.NAME or Color.Value\(name\), not Color\(1,\)", id="enum"
    ),
    pytest.param(lambda: type("Own", (Order,), {}), TypeError, r"class Own\(Order\)", id="subclass"),
]


@pytest.mark.parametrize(("use", "kind", "message"), REFUSALS)
def test_a_misused_handle_says_what_is_near(inside, use, kind, message):
    with pytest.raises(kind, match=message):
        use()


def test_a_type_that_a_newer_schema_has_lost_is_a_lookup_error():
    with running(make_schema('syntax = "proto3"; package shop.v1; message M {}')):
        with pytest.raises(LookupError, match=r"no message shop\.v1\.Order in the schema"):
            Order()
        assert not hasattr(Order, "__wrapped__")
        assert not hasattr(Color, "__wrapped__")
