from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf import any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.json_format import MessageToDict

from dynconnect.schema.messages import adopt, build
from dynconnect.schema.schema import Schema


@pytest.fixture(scope="module")
def foreign(shop_source):
    """``shop.v1.Order`` of another generation."""
    return Schema([shop_source]).message_class("shop.v1.Order")


MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FITTING = [
    pytest.param({"id": "a", "total": 5}, {"id": "a", "total": "5"}, id="scalars"),
    pytest.param({"id": None, "parent": None, "lines": None, "gift": None}, {}, id="None is unset"),
    pytest.param({"parent": {"id": None}}, {"parent": {}}, id="None inside is unset"),
    pytest.param({"state": "PAID"}, {"state": "PAID"}, id="an enum by name"),
    pytest.param(
        {"state": 1, "history": ["PAID", 0]}, {"state": "PAID", "history": ["PAID", "NEW"]}, id="enums"
    ),
    pytest.param({"lines": [{"text": "x"}, {}]}, {"lines": [{"text": "x"}, {}]}, id="lists of mappings"),
    pytest.param({"named": {"k": {"text": "x"}}}, {"named": {"k": {"text": "x"}}}, id="maps of mappings"),
    pytest.param({"counts": {"k": 2}}, {"counts": {"k": 2}}, id="maps of numbers"),
    pytest.param(
        {"created": MOMENT, "took": timedelta(seconds=1.5)},
        {"created": "2026-01-02T03:04:05Z", "took": "1.500s"},
        id="datetimes",
    ),
    pytest.param({"extra": {"a": [1, None]}}, {"extra": {"a": [1.0, None]}}, id="a struct"),
    pytest.param({"card": "1", "gift": False}, {"card": "1", "gift": False}, id="a oneof and an optional"),
]


@pytest.mark.parametrize(("fields", "expected"), FITTING)
def test_fields_make_a_message(order, fields, expected):
    assert MessageToDict(build(order, fields)) == expected


def test_messages_of_another_generation_are_taken_at_any_depth(order, foreign):
    other = foreign(id="x", lines=[{"text": "l"}], cash={"count": 2})
    fields = {
        "id": "a",
        "parent": other,
        "lines": [{"text": "own"}, other.lines[0]],
        "named": {"k": other.lines[0], "own": {"count": 1}},
        "cash": other.cash,
    }
    assert MessageToDict(build(order, fields)) == {
        "id": "a",
        "parent": {"id": "x", "lines": [{"text": "l"}], "cash": {"count": 2}},
        "lines": [{"text": "own"}, {"text": "l"}],
        "named": {"k": {"text": "l"}, "own": {"count": 1}},
        "cash": {"count": 2},
    }
    assert build(order, {"parent": {"parent": other}}).parent.parent.id == "x"


def test_messages_of_imported_modules_are_taken(order):
    stamp = timestamp_pb2.Timestamp(seconds=5)
    packed = any_pb2.Any()
    packed.Pack(stamp)
    fields = {
        "created": stamp,
        "changes": [stamp, stamp],
        "took": duration_pb2.Duration(seconds=1),
        "extra": struct_pb2.Struct(fields={"a": {"bool_value": True}}),
        "value": struct_pb2.Value(string_value="v"),
        "nickname": wrappers_pb2.StringValue(value="n"),
        "any": packed,
    }
    assert MessageToDict(build(order, fields)) == {
        "created": "1970-01-01T00:00:05Z",
        "changes": ["1970-01-01T00:00:05Z", "1970-01-01T00:00:05Z"],
        "took": "1s",
        "extra": {"a": True},
        "value": "v",
        "nickname": "n",
        "any": {"@type": "type.googleapis.com/google.protobuf.Timestamp", "value": "1970-01-01T00:00:05Z"},
    }


def test_a_message_is_given_empty_and_still_there(order, foreign):
    assert build(order, {"parent": foreign()}).HasField("parent")


MISFITS = [
    pytest.param({"nmae": 1}, "shop.v1.Order has no field 'nmae'", id="an unknown field"),
    pytest.param({"lins": []}, "did you mean 'lines'?", id="a misspelt field"),
    pytest.param({"parent": {"idd": "x"}}, "parent.shop.v1.Order has no field 'idd'", id="misspelt inside"),
    pytest.param({"total": "x"}, "total: 'str' object", id="a string for a number"),
    pytest.param({"total": 2**63}, "total: ", id="too large a number"),
    pytest.param({"lines": [{}, {"count": "x"}]}, "lines[1].count: ", id="in a list"),
    pytest.param({"named": {"k": {"count": "x"}}}, "named['k'].count: ", id="in a map"),
    pytest.param({"named": {"k": None}}, "named['k']: ", id="None in a map"),
    pytest.param({"counts": {"k": "x"}}, "counts: ", id="in a map of numbers"),
    pytest.param({"lines": {"text": "x"}}, "lines: ", id="a mapping for a list"),
    pytest.param({"lines": 5}, "lines: ", id="a number for a list"),
    pytest.param({"named": [1]}, "named: ", id="a list for a map"),
    pytest.param({"parent": 5}, "parent: ", id="a number for a message"),
    pytest.param({"parent": timestamp_pb2.Timestamp()}, "parent: ", id="a message of another type"),
    pytest.param({"state": "GONE"}, 'state: unknown enum label "GONE"', id="an unknown enum value"),
    pytest.param({"created": "2026-01-02"}, "created: ", id="a string for a timestamp"),
    pytest.param({"extra": {"a": object()}}, "extra: ", id="not a JSON value in a struct"),
    pytest.param({"extra": 5}, "extra: ", id="a number for a struct"),
    pytest.param({"id": "\ud800"}, "id: 'utf-8' codec", id="half a surrogate pair"),
    pytest.param({"id": b"\xff"}, "id: 'utf-8' codec", id="bytes that are no text"),
    pytest.param({1: 2}, "shop.v1.Order has no field 1", id="a name that is no string"),
]


@pytest.mark.parametrize(("fields", "expected"), MISFITS)
def test_what_does_not_fit_is_a_type_error_that_names_the_field(order, fields, expected):
    with pytest.raises(TypeError) as caught:
        build(order, fields)
    assert expected in str(caught.value)


def test_a_message_is_adopted_by_its_bytes(order, foreign):
    adopted = adopt(order, foreign(id="x"))
    assert type(adopted) is order
    assert adopted.id == "x"


def test_a_message_is_adopted_though_fields_are_missing(shop, shop_source):
    strict = Schema([shop_source]).message_class("shop.v1.Strict")
    assert not adopt(shop.message_class("shop.v1.Strict"), strict()).IsInitialized()
