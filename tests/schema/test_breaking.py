from __future__ import annotations

import pytest
from support.protoc import compile_set

from dynconnect.schema.breaking import Level, breaking
from dynconnect.schema.content import files_of
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source

WIRE, JSON, SOURCE = Level.WIRE, Level.JSON, Level.SOURCE

BASE = """\
syntax = "proto3";
package shop.v1;

message Order {
  enum Kind {
    OLD = 0;
    NEW = 1;
  }
  string id = 1;
  Kind kind = 2;
  repeated Item items = 3;
  map<string, Item> named = 4;
  oneof payment {
    string card = 5;
    string cash = 6;
  }
  int32 count = 7;
  optional bool gift = 8;
}
message Item { Part part = 1; }
message Part { string name = 1; }
message Reply { string id = 1; }
message Unused { string a = 1; }
service Orders {
  rpc Get(Order) returns (Reply) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Watch(Order) returns (stream Reply);
}
"""


def schema(text, name="shop.proto"):
    return Schema([Source("api.binpb", files_of(compile_set({name: text})))])


@pytest.fixture(scope="module")
def base():
    return schema(BASE)


def edit(old, new, *expected, id):  # noqa: A002  pytest's own name for it
    return pytest.param(old, new, list(expected), id=id)


EDITS = [
    edit(
        BASE[BASE.index("service") :],
        "service Others { rpc Get(Order) returns (Reply); }",
        (WIRE, "SERVICE_NO_DELETE", "shop.v1.Orders", 24),
        id="service gone",
    ),
    edit(
        "rpc Watch(Order) returns (stream Reply);",
        "",
        (WIRE, "RPC_NO_DELETE", "shop.v1.Orders.Watch", 26),
        id="method gone",
    ),
    edit(
        "returns (stream Reply)",
        "returns (Reply)",
        (WIRE, "RPC_SAME_SERVER_STREAMING", "shop.v1.Orders.Watch", 26),
        id="no stream any more",
    ),
    edit(
        "rpc Watch(Order)",
        "rpc Watch(stream Order)",
        (WIRE, "RPC_SAME_CLIENT_STREAMING", "shop.v1.Orders.Watch", 26),
        id="a stream now",
    ),
    edit(
        "{ option idempotency_level = NO_SIDE_EFFECTS; }",
        ";",
        (WIRE, "RPC_SAME_IDEMPOTENCY_LEVEL", "shop.v1.Orders.Get", 25),
        id="GET withdrawn",
    ),
    edit(
        "rpc Watch(Order) returns (stream Reply);",
        "rpc Watch(Order) returns (stream Answer);\n}\nmessage Answer { string id = 1;",
        (SOURCE, "RPC_SAME_RESPONSE_TYPE", "shop.v1.Orders.Watch", 26),
        id="another response that holds the same",
    ),
    edit(
        "rpc Watch(Order) returns (stream Reply);",
        "rpc Watch(Order) returns (stream Answer);\n}\nmessage Answer { int32 id = 1;",
        (SOURCE, "RPC_SAME_RESPONSE_TYPE", "shop.v1.Orders.Watch", 26),
        (WIRE, "FIELD_SAME_TYPE", "shop.v1.Reply.id", 28),
        id="another response that holds something else",
    ),
    edit(
        "int32 count = 7;",
        "",
        (WIRE, "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED", "shop.v1.Order.count", 17),
        id="field gone",
    ),
    edit(
        "int32 count = 7;",
        "reserved 7;",
        (JSON, "FIELD_NO_DELETE_UNLESS_NAME_RESERVED", "shop.v1.Order.count", 17),
        id="field gone, number reserved",
    ),
    edit(
        "int32 count = 7;",
        'reserved 7; reserved "count";',
        (SOURCE, "FIELD_NO_DELETE", "shop.v1.Order.count", 17),
        id="field gone, all reserved",
    ),
    edit(
        "int32 count = 7;",
        "int32 count = 9;",
        (WIRE, "FIELD_SAME_NUMBER", "shop.v1.Order.count", 17),
        id="another number",
    ),
    edit(
        "int32 count = 7;",
        "int32 total = 7;",
        (SOURCE, "FIELD_SAME_NAME", "shop.v1.Order.count", 17),
        (JSON, "FIELD_SAME_JSON_NAME", "shop.v1.Order.count", 17),
        id="number reused by another name",
    ),
    edit(
        "int32 count = 7;",
        'int32 count = 7 [json_name = "n"];',
        (JSON, "FIELD_SAME_JSON_NAME", "shop.v1.Order.count", 17),
        id="JSON name",
    ),
    edit(
        "int32 count = 7;",
        "string count = 7;",
        (WIRE, "FIELD_SAME_TYPE", "shop.v1.Order.count", 17),
        id="number to text",
    ),
    edit(
        "int32 count = 7;",
        "sint32 count = 7;",
        (WIRE, "FIELD_SAME_TYPE", "shop.v1.Order.count", 17),
        id="another encoding",
    ),
    edit(
        "int32 count = 7;",
        "int64 count = 7;",
        (JSON, "FIELD_SAME_TYPE", "shop.v1.Order.count", 17),
        id="wider, so a string in JSON",
    ),
    edit(
        "int32 count = 7;",
        "uint32 count = 7;",
        (SOURCE, "FIELD_SAME_TYPE", "shop.v1.Order.count", 17),
        id="without a sign",
    ),
    edit(
        "Kind kind = 2;",
        "int32 kind = 2;",
        (JSON, "FIELD_SAME_TYPE", "shop.v1.Order.kind", 10),
        id="enum to number",
    ),
    edit(
        "string id = 1;\n  Kind",
        "bytes id = 1;\n  Kind",
        (JSON, "FIELD_SAME_TYPE", "shop.v1.Order.id", 9),
        id="text to bytes",
    ),
    edit(
        "repeated Item items",
        "Item items",
        (WIRE, "FIELD_SAME_CARDINALITY", "shop.v1.Order.items", 11),
        id="one of many",
    ),
    edit(
        "int32 count = 7;",
        "repeated int32 count = 7;",
        (WIRE, "FIELD_SAME_CARDINALITY", "shop.v1.Order.count", 17),
        id="many of one",
    ),
    edit(
        "map<string, Item> named = 4;",
        "message Pair { string key = 1; Item value = 2; } repeated Pair named = 4;",
        (JSON, "FIELD_SAME_TYPE", "shop.v1.Order.named", 12),
        id="map to pairs",
    ),
    edit(
        "map<string, Item> named",
        "map<string, string> named",
        (WIRE, "FIELD_SAME_TYPE", "shop.v1.Order.NamedEntry.value", None),
        id="map of something else",
    ),
    edit(
        "int32 count = 7;\n",
        "oneof more { int32 count = 7; string other = 20; }\n",
        (WIRE, "FIELD_SAME_ONEOF", "shop.v1.Order.count", 17),
        id="into a oneof",
    ),
    edit(
        "    string cash = 6;\n  }",
        "  }\n  string cash = 6;",
        (WIRE, "FIELD_SAME_ONEOF", "shop.v1.Order.cash", 16),
        id="out of a oneof",
    ),
    edit(
        "optional bool gift",
        "bool gift",
        (SOURCE, "FIELD_SAME_PRESENCE", "shop.v1.Order.gift", 18),
        id="presence lost",
    ),
    edit(
        "message Part { string name = 1; }",
        "message Part { bool name = 1; }",
        (WIRE, "FIELD_SAME_TYPE", "shop.v1.Part.name", 21),
        id="deep inside",
    ),
    edit(
        "    NEW = 1;\n",
        "",
        (WIRE, "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED", "shop.v1.Order.Kind.NEW", 7),
        id="value gone",
    ),
    edit(
        "NEW = 1;",
        "reserved 1;",
        (JSON, "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED", "shop.v1.Order.Kind.NEW", 7),
        id="value gone, number reserved",
    ),
    edit(
        "NEW = 1;",
        "FRESH = 1;",
        (JSON, "ENUM_VALUE_SAME_NAME", "shop.v1.Order.Kind.NEW", 7),
        id="value renamed",
    ),
    edit(
        "NEW = 1;",
        "NEW = 2;",
        (WIRE, "ENUM_VALUE_SAME_NUMBER", "shop.v1.Order.Kind.NEW", 7),
        id="value renumbered",
    ),
]


def told(found):
    return sorted((one.level.value, one.rule, one.element, one.where) for one in found)


@pytest.mark.parametrize(("old", "new", "expected"), EDITS)
def test_what_breaks_is_found_with_its_level_its_element_and_its_place(base, old, new, expected):
    assert old in BASE
    found = breaking(base, schema(BASE.replace(old, new, 1)))
    place = {None: "shop.proto"}
    assert told(found) == sorted(
        (level.value, rule, element, place.get(line, f"shop.proto:{line}"))
        for level, rule, element, line in expected
    )


HARMLESS = [
    pytest.param("int32 count = 7;", "int32 count = 7; string more = 30;", id="a new field"),
    pytest.param("NEW = 1;", "NEW = 1; USED = 2;", id="a new value"),
    pytest.param("rpc Watch", "rpc More(Part) returns (Part); rpc Watch", id="a new method"),
    pytest.param("message Unused { string a = 1; }", "", id="a type that nothing serves"),
    pytest.param("message Item {", "// An item.\nmessage Item {", id="a comment"),
    pytest.param("NEW = 1;", "NEW = 1; option allow_alias = true; FRESH = 1;", id="an alias"),
]


@pytest.mark.parametrize(("old", "new"), HARMLESS)
def test_what_old_clients_never_meet_breaks_nothing(base, old, new):
    assert old in BASE
    assert breaking(base, schema(BASE.replace(old, new, 1))) == ()


def test_a_schema_breaks_nothing_of_itself(base):
    assert breaking(base, base) == ()


PROTO2 = """\
syntax = "proto2";
package old.v1;
message M {
  optional string a = 1;
  required string b = 2;
  optional group Part = 3 { optional string c = 1; }
  optional Kind kind = 4;
}
enum Kind { NONE = 0; }
service S { rpc Get(M) returns (M); }
"""

PROTO2_EDITS = [
    edit(
        "optional string a",
        "required string a",
        (WIRE, "FIELD_SAME_CARDINALITY", "old.v1.M.a", 4),
        id="required",
    ),
    edit(
        "required string b",
        "optional string b",
        (WIRE, "FIELD_SAME_CARDINALITY", "old.v1.M.b", 5),
        id="optional",
    ),
    edit(
        "optional Kind kind = 4;",
        "optional Kind kind = 4;\n  required string new = 9;",
        (WIRE, "MESSAGE_SAME_REQUIRED_FIELDS", "old.v1.M", 8),
        id="a new field that must be there",
    ),
    edit(
        "optional group Part = 3 { optional string c = 1; }",
        "message Part { optional string c = 1; } optional Part part = 3;",
        (WIRE, "FIELD_SAME_TYPE", "old.v1.M.part", 6),
        id="group to message",
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), PROTO2_EDITS)
def test_what_only_proto2_can_break_is_found(old, new, expected):
    assert old in PROTO2
    found = breaking(schema(PROTO2), schema(PROTO2.replace(old, new, 1)))
    assert told(found) == sorted(
        (level.value, rule, name, f"shop.proto:{line}") for level, rule, name, line in expected
    )


def test_an_enum_that_closes_breaks_the_wire_and_one_that_opens_the_source():
    text = PROTO2.replace('syntax = "proto2"', 'edition = "2023"').replace("optional ", "")
    text = text.replace("required string b = 2;", "").replace("group Part = 3 { string c = 1; }", "")
    opened, closed = (
        schema(text),
        schema(text.replace("{ NONE = 0; }", "{ option features.enum_type = CLOSED; NONE = 0; }")),
    )
    assert told(breaking(opened, closed)) == [("wire", "ENUM_SAME_TYPE", "old.v1.Kind", "shop.proto:9")]
    assert told(breaking(closed, opened)) == [("source", "ENUM_SAME_TYPE", "old.v1.Kind", "shop.proto:9")]


def test_without_source_info_the_place_is_the_file():
    def bare(text):
        return Schema(
            [Source("api.binpb", files_of(compile_set({"shop.proto": text}, include_source_info=False)))]
        )

    found = breaking(bare(BASE), bare(BASE.replace("int32 count = 7;", "")))
    assert [one.where for one in found] == ["shop.proto"]


def test_a_finding_reads_as_one_line(base):
    (found,) = breaking(base, schema(BASE.replace("int32 count = 7;", "string count = 7;")))
    assert str(found) == "shop.proto:17: shop.v1.Order.count is string, and was int32 (breaks wire)"


def test_types_that_refer_to_each_other_are_compared_once():
    text = 'syntax = "proto3"; message A { B b = 1; %s } message B { A a = 1; }'
    text += " service S { rpc Get(A) returns (B); }"
    found = breaking(schema(text % "string x = 2;"), schema(text % "bool x = 2;"))
    assert [one.element for one in found] == ["A.x"]
