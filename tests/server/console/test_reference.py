"""A symbol of a schema, as the explorer shows it."""

from __future__ import annotations

import gc
import json
import weakref

import pytest
from support.shop import make_schema

from dynconnect.server.console.reference import symbol_of

PROTO = """\
syntax = "proto3";
package shop.v1;

// Orders
//   of a shop.
service Orders {
  // One of them.
  rpc Get(Order) returns (Order);
  rpc Put(Order) returns (Order);
}

// What is bought.
message Order {
  string order_id = 1; // such as 17
  repeated Order parts = 2;
  map<string, Kind> kinds = 3;
  oneof how {
    bool cash = 4 [deprecated = true];
  }
  enum Kind {
    KIND_UNSPECIFIED = 0;
    KIND_GIFT = 1; // wrapped
  }
}
"""


@pytest.fixture(scope="module")
def schema():
    return make_schema(PROTO, "shop.proto")


def test_a_service_has_its_comments(schema):
    assert symbol_of(schema, "shop.v1.Orders") == {
        "kind": "service",
        "name": "shop.v1.Orders",
        "file": "shop.proto",
        "comment": "Orders\n  of a shop.",
        "methods": {"Get": "One of them.", "Put": ""},
    }


def test_a_method_leads_to_its_service(schema):
    assert symbol_of(schema, "shop.v1.Orders/Get") == symbol_of(schema, "shop.v1.Orders")


def test_an_enum_has_its_values(schema):
    found = symbol_of(schema, "shop.v1.Order.Kind")
    assert (found["kind"], found["name"]) == ("enum", "shop.v1.Order.Kind")
    assert found["values"][1] == {"name": "KIND_GIFT", "number": 1, "comment": "wrapped"}


FIELDS = [
    {"name": "order_id", "json": "orderId", "number": 1, "type": "string", "comment": "such as 17"},
    {
        "name": "parts",
        "type": "repeated Order",
        "shape": "repeated",
        "kind": "message",
        "holds": "shop.v1.Order",
    },
    {
        "name": "kinds",
        "type": "map<string, Kind>",
        "shape": "map",
        "kind": "enum",
        "holds": "shop.v1.Order.Kind",
    },
    {"name": "cash", "type": "bool", "shape": "single", "kind": "scalar", "holds": "bool", "oneof": "how"},
]


@pytest.mark.parametrize(("at", "expected"), list(enumerate(FIELDS)))
def test_a_message_has_its_fields(schema, at, expected):
    found = symbol_of(schema, "shop.v1.Order")
    assert (found["kind"], found["comment"]) == ("message", "What is bought.")
    field = found["fields"][at]
    assert {name: field[name] for name in expected} == expected
    assert field["deprecated"] is (field["name"] == "cash")


def test_a_required_field_holds_what_its_type_says():
    proto = 'syntax = "proto2"; message A { required string text = 1; }'
    (field,) = symbol_of(make_schema(proto, "a.proto"), "A")["fields"]
    assert (field["type"], field["holds"]) == ("required string", "string")


def test_it_is_json(schema):
    for name in ("shop.v1.Orders", "shop.v1.Order", "shop.v1.Order.Kind"):
        assert json.loads(json.dumps(symbol_of(schema, name))) == symbol_of(schema, name)


def test_the_nearest_name_is_told(schema):
    with pytest.raises(LookupError, match=r"did you mean shop\.v1\.Order\?"):
        symbol_of(schema, "shop.v1.Ordr")


def test_it_keeps_no_schema():
    schema = make_schema(PROTO, "shop.proto")
    symbol_of(schema, "shop.v1.Order")
    gone = weakref.ref(schema)
    del schema
    gc.collect()
    assert gone() is None
