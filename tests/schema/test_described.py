"""Declarations as .proto source."""

from __future__ import annotations

import pytest
from support.protoc import compile_set

from dynconnect.schema.described import describe
from dynconnect.schema.load import load
from dynconnect.schema.schema import Schema

PROTO = """\
syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";

// What is
// bought.
message Order {
  // Its own.
  string id = 1;
  optional int32 count = 2;
  repeated Line lines = 3;
  map<string, Line> by_name = 4;
  google.protobuf.Timestamp at = 5;
  oneof pay {
    // In cents.
    int64 cash = 6;
    string card = 7;
  }
  bool late = 8 [deprecated = true];
  // A part.
  message Line {
    State state = 1;
  }
  enum State {
    STATE_UNKNOWN = 0;
    STATE_SENT = 1; // It is away.
  }
}
message Empty {}
// For customers.
service Orders {
  // One of them.
  rpc Get(Order) returns (Order);
  rpc Talk(stream Order) returns (stream Empty);
}
"""
ORDER = """\
// shop.proto
// What is
// bought.
message Order {
  // Its own.
  string id = 1;
  optional int32 count = 2;
  repeated shop.v1.Order.Line lines = 3;
  map<string, shop.v1.Order.Line> by_name = 4;
  google.protobuf.Timestamp at = 5;
  oneof pay {
    // In cents.
    int64 cash = 6;
    string card = 7;
  }
  bool late = 8 [deprecated = true];
  // A part.
  message Line {
    shop.v1.Order.State state = 1;
  }
  enum State {
    STATE_UNKNOWN = 0;
    // It is away.
    STATE_SENT = 1;
  }
}"""
ORDERS = """\
// shop.proto
// For customers.
service Orders {
  // One of them.
  rpc Get(shop.v1.Order) returns (shop.v1.Order);
  rpc Talk(stream shop.v1.Order) returns (stream shop.v1.Empty);
}"""
GET = """\
// shop.proto
// One of them.
rpc Get(shop.v1.Order) returns (shop.v1.Order);"""
STATE = """\
// shop.proto
enum State {
  STATE_UNKNOWN = 0;
  // It is away.
  STATE_SENT = 1;
}"""


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    folder = tmp_path_factory.mktemp("described")

    (folder / "shop.proto").write_text(PROTO)
    return Schema(load([str(folder / "shop.proto")]))


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("shop.v1.Order", ORDER),
        (".shop.v1.Order", ORDER),
        ("shop.v1.Orders", ORDERS),
        ("shop.v1.Orders.Get", GET),
        ("shop.v1.Orders/Get", GET),
        ("shop.v1.Order.State", STATE),
        ("shop.v1.Empty", "// shop.proto\nmessage Empty {\n}"),
    ],
)
def test_each_kind_is_shown_as_it_was_written(schema, symbol, expected):
    assert describe(schema, symbol) == expected


def test_what_is_shown_compiles_again(schema):
    text = describe(schema, "shop.v1.Order")
    head = 'syntax = "proto3";\npackage shop.v1;\nimport "google/protobuf/timestamp.proto";\n'
    assert compile_set({"again.proto": head + text})


def test_what_is_imported_can_be_looked_up_too(schema):
    assert "int64 seconds = 1;" in describe(schema, "google.protobuf.Timestamp")


@pytest.mark.parametrize("symbol", ["shop.v1.Ordr", "shop.v1.Orders/Gett", "Order"])
def test_a_misspelt_symbol_is_told_the_nearest(schema, symbol):
    with pytest.raises(LookupError, match=rf"there is no {symbol.replace('/', '.')}"):
        describe(schema, symbol)
    with pytest.raises(LookupError, match=r"did you mean shop\.v1\.Order\?"):
        describe(schema, "shop.v1.Ordr")
