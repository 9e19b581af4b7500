from __future__ import annotations

import pytest
from support.protoc import compile_set

from dynconnect.schema.changes import changes
from dynconnect.schema.content import files_of
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source

BASE = """
syntax = "proto3";
package shop.v1;
// What is bought.
message Order {
  enum Kind { OLD = 0; NEW = 1; }
  message Item { string name = 1; }
  string id = 1;
  Kind kind = 2;
  repeated Item items = 3;
  map<string, Item> named = 4;
  oneof payment { string card = 5; string cash = 6; }
  optional bool gift = 7;
}
message Reply { string id = 1; }
enum Color { RED = 0; BLUE = 1; }
service Orders {
  rpc Get(Order) returns (Reply);
  rpc Watch(Order) returns (stream Reply);
}
"""


def schema(**files):
    named = {f"{name}.proto": text for name, text in files.items()}
    return Schema([Source("api.binpb", files_of(compile_set(named)))])


@pytest.fixture(scope="module")
def base():
    return schema(shop=BASE)


EDITS = [
    pytest.param(
        "string id = 1;\n  Kind",
        "string id = 1;\n  int64 total = 9;\n  Kind",
        ["+ Order.total (9, int64)"],
        id="field added",
    ),
    pytest.param("repeated Item items = 3;", "", ["- Order.items"], id="field removed"),
    pytest.param("Kind kind = 2", "Kind sort = 2", ["~ Order.kind → sort (2, Kind)"], id="field renamed"),
    pytest.param(
        "Kind kind = 2", "Kind kind = 8", ["~ Order.kind (8, Kind; was 2, Kind)"], id="field renumbered"
    ),
    pytest.param(
        "Kind kind = 2",
        "string kind = 2",
        ["~ Order.kind (2, string; was 2, Kind)"],
        id="field of another type",
    ),
    pytest.param(
        "repeated Item items",
        "Item items",
        ["~ Order.items (3, Item; was 3, repeated Item)"],
        id="field of another cardinality",
    ),
    pytest.param(
        "map<string, Item>",
        "map<int32, Item>",
        ["~ Order.named (4, map<int32, Item>; was 4, map<string, Item>)"],
        id="map key",
    ),
    pytest.param(
        "oneof payment { string card = 5;",
        "string card = 5; oneof payment {",
        ["~ Order.card (5, string; was 5, string, oneof payment)"],
        id="field out of a oneof",
    ),
    pytest.param(
        "OLD = 0; NEW = 1;", "OLD = 0; NEW = 1; USED = 2;", ["+ Kind.USED (2)"], id="nested value added"
    ),
    pytest.param("RED = 0; BLUE = 1;", "RED = 0;", ["- Color.BLUE"], id="value removed"),
    pytest.param("BLUE = 1", "GREEN = 1", ["~ Color.BLUE → GREEN (1)"], id="value renamed"),
    pytest.param(
        "enum Color { RED = 0; BLUE = 1; }", "", ["- enum Color"], id="enum removed, without its values"
    ),
    pytest.param(
        "message Reply {",
        "message Extra { string a = 1; Inner inner = 2; message Inner {} }\nmessage Reply {",
        ["+ message Extra"],
        id="message added, without what is in it",
    ),
    pytest.param("rpc Get(Order) returns (Reply);", "", ["- Get"], id="method removed"),
    pytest.param(
        "rpc Get(Order)", "rpc Fetch(Order)", ["- Get", "+ Fetch (Order → Reply)"], id="method renamed"
    ),
    pytest.param(
        "rpc Get(Order)",
        "rpc Get(stream Order)",
        ["~ Get (stream Order → Reply; was Order → Reply)"],
        id="method streams",
    ),
    pytest.param(
        "service Orders {",
        "service Stock { rpc Count(Order) returns (Reply); }\nservice Orders {",
        ["+ service Stock"],
        id="service added",
    ),
    pytest.param(
        "rpc Get(Order) returns (Reply);",
        "rpc Get(Order) returns (Reply) { option idempotency_level = NO_SIDE_EFFECTS; }",
        ["~ Get (Order → Reply, no_side_effects; was Order → Reply)"],
        id="method may be GET",
    ),
    pytest.param(
        "rpc Get(Order) returns (Reply);",
        "rpc Get(Order) returns (Reply) { option deprecated = true; }",
        ["~ Get (Order → Reply, deprecated; was Order → Reply)"],
        id="method deprecated",
    ),
    pytest.param("What is bought", "What was bought", ["shop.proto: comments"], id="a comment"),
    pytest.param(
        "string id = 1;\n  Kind",
        "string id = 1 [deprecated = true];\n  Kind",
        ["shop.proto: options or order"],
        id="an option of a field",
    ),
    pytest.param(
        "optional bool gift", "bool gift", ["~ Order.gift (7, bool; was 7, optional bool)"], id="presence"
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), EDITS)
def test_an_edit_is_told_in_the_words_of_its_author(base, old, new, expected):
    assert old in BASE
    assert list(changes(base, schema(shop=BASE.replace(old, new)))) == expected


def test_a_schema_does_not_differ_from_itself(base):
    assert changes(base, base) == ()
    assert changes(base, schema(shop=BASE)) == ()


def test_a_file_that_comes_brings_what_it_declares(base):
    other = """
        syntax = "proto3";
        package stock.v1;
        message Count {}
        service Stock { rpc Get(Count) returns (Count); }
    """
    assert list(changes(base, schema(shop=BASE, stock=other))) == [
        "+ message Count",
        "+ service Stock",
    ]
    assert list(changes(schema(shop=BASE, stock=other), base)) == ["- message Count", "- service Stock"]


def test_an_element_that_moves_to_another_file_is_no_change(base):
    moved = BASE.replace("enum Color { RED = 0; BLUE = 1; }", "")
    other = 'syntax = "proto3"; package shop.v1; enum Color { RED = 0; BLUE = 1; }'
    assert changes(base, schema(shop=moved, color=other)) == ()


def test_names_that_are_alike_are_told_apart_by_their_packages():
    text = 'syntax = "proto3"; package {}; message Order {{ {} }}'
    before = schema(one=text.format("one", ""), two=text.format("two", ""))
    after = schema(one=text.format("one", "string a = 1;"), two=text.format("two", "string a = 1;"))
    assert list(changes(before, after)) == ["+ one.Order.a (1, string)", "+ two.Order.a (1, string)"]
