"""Samples of messages: small, and readable by ProtoJSON as they stand."""

from __future__ import annotations

import pytest
from google.protobuf import json_format
from support.protoc import compile_set

from dynconnect.cli.sample import sample
from dynconnect.schema.content import files_of
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source

HEAD = """
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
"""
PROTO3 = f"""
syntax = "proto3";
package t;
{HEAD}
message Nothing {{}}
message Scalars {{
  string text = 1; int32 star_count = 2; bool done = 3; double share = 4; string fifth = 5;
}}
message Big {{ int64 a = 1; uint64 b = 2; uint32 c = 3; float d = 4; }}
message Left {{ bytes data = 1; repeated string tags = 2; map<string, string> labels = 3; string text = 4; }}
message Named {{ string text = 1 [json_name = "says"]; }}
message Choice {{ oneof kind {{ string name = 1; int32 number = 2; }} optional string more = 3; }}
enum Color {{ NONE = 0; RED = 1; }}
enum Only {{ ONLY = 0; }}
message Enums {{ Color color = 1; Only only = 2; }}
message Outer {{ Scalars inner = 1; Nothing nothing = 2; }}
message Loop {{ string name = 1; Loop next = 2; }}
message Times {{ google.protobuf.Timestamp at = 1; google.protobuf.Duration took = 2; }}
message Odd {{
  google.protobuf.Any any = 1; google.protobuf.Struct struct = 2; google.protobuf.Value value = 3;
  google.protobuf.FieldMask mask = 4; google.protobuf.ListValue list = 5; google.protobuf.Empty empty = 6;
  google.protobuf.Int64Value wrapped = 7; google.protobuf.BoolValue flag = 8;
}}
"""
PROTO2 = """
syntax = "proto2";
package two;
message Inner { required string name = 1; }
message Bare { optional string text = 1; }
message Needs {
  optional string a = 1; optional string b = 2; optional string c = 3; optional string d = 4;
  required bytes data = 5; required Inner inner = 6; required Bare bare = 7;
}
message Deep { required Middle middle = 1; }
message Middle { required Lower lower = 1; }
message Lower { required Bare bare = 1; }
"""


@pytest.fixture(scope="module")
def schema():
    data = compile_set({"t.proto": PROTO3, "two.proto": PROTO2})
    return Schema([Source("t.binpb", files_of(data))])


SAMPLES = [
    pytest.param("t.Nothing", {}, id="no fields"),
    pytest.param("t.Scalars", {"text": "...", "starCount": 1, "done": True, "share": 1.5}, id="four at most"),
    pytest.param("t.Big", {"a": "1", "b": "1", "c": 1, "d": 1.5}, id="64 bits are text"),
    pytest.param("t.Left", {"text": "..."}, id="bytes, lists and maps are left out"),
    pytest.param("t.Named", {"says": "..."}, id="a name of its own in JSON"),
    pytest.param("t.Choice", {"name": "...", "more": "..."}, id="one of a oneof"),
    pytest.param("t.Enums", {"color": "RED", "only": "ONLY"}, id="enums by name"),
    pytest.param(
        "t.Outer", {"inner": {"text": "...", "starCount": 1, "done": True, "share": 1.5}}, id="nested"
    ),
    pytest.param("t.Loop", {"name": "...", "next": {"name": "...", "next": {"name": "..."}}}, id="recursive"),
    pytest.param("t.Times", {"at": "2025-01-01T00:00:00Z", "took": "1s"}, id="times"),
    pytest.param("t.Odd", {"value": "...", "wrapped": "1", "flag": True}, id="JSON of their own"),
    pytest.param(
        "two.Needs",
        {
            "a": "...",
            "b": "...",
            "c": "...",
            "d": "...",
            "data": "",
            "inner": {"name": "..."},
            "bare": {"text": "..."},
        },
        id="required fields are there",
    ),
    pytest.param("two.Deep", {"middle": {"lower": {"bare": {}}}}, id="required to the end"),
]


@pytest.mark.parametrize(("name", "expected"), SAMPLES)
def test_a_sample_shows_the_first_fields_and_is_a_message(schema, name, expected):
    message = schema.message_class(name)
    found = sample(message.DESCRIPTOR)
    assert found == expected
    assert json_format.ParseDict(found, message()).IsInitialized()


WELL_KNOWN = (
    *("Any", "BoolValue", "BytesValue", "DoubleValue", "Duration", "Empty", "FieldMask", "FloatValue"),
    *("Int32Value", "Int64Value", "ListValue", "StringValue", "Struct", "Timestamp", "UInt32Value"),
    *("UInt64Value", "Value"),
)


@pytest.mark.parametrize("name", WELL_KNOWN)
def test_a_well_known_type_may_be_the_whole_message(schema, name):
    message = schema.message_class(f"google.protobuf.{name}")
    parsed = json_format.ParseDict(sample(message.DESCRIPTOR), message())
    assert json_format.ParseDict(json_format.MessageToDict(parsed), message()) == parsed
