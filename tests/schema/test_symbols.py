"""Z4, Z6 to Z11 and Z13: which file declares what, and what comes with it."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from support.protoc import compile_set
from support.shop import make_schema

from dynconnect.schema.schema import Schema, system
from dynconnect.schema.sources import Source
from dynconnect.schema.symbols import Symbols

TOP = """
syntax = "proto2";
package top;
import "deep/one.proto";
import public "open.proto";
import "google/protobuf/descriptor.proto";

// All about it.
message Top {
  enum Kind { OLD = 0; }
  message Inner { optional int32 size = 1; }
  oneof choice { string text = 1; deep.One one = 2; }
  extensions 100 to 200;
  extend google.protobuf.FieldOptions { optional string unit = 50001; }
}
extend Top { optional string more = 101 [(top.Top.unit) = "m"]; }
enum Color { RED = 0; }

// The open one.
service Open {
  // Gets.
  rpc Get(Top) returns (Top);
}
// The secret one.
service Secret {
  rpc Tell(Top) returns (Top);
}
// The last one.
service Last {
  // Ends.
  rpc End(Top) returns (Top);
}
"""
FILES = {
    "top.proto": TOP,
    "deep/one.proto": 'syntax = "proto3"; package deep; import "deep/two.proto"; message One { Two t = 1; }',
    "deep/two.proto": 'syntax = "proto3"; package deep;import "deep/three.proto"; message Two {Three t = 1;}',
    "deep/three.proto": 'syntax = "proto3"; package deep; message Three {}',
    "open.proto": 'syntax = "proto3"; package open; message Open {}',
    "more.proto": """
        syntax = "proto2";
        package more;
        import "top.proto";
        message Holder { extend top.Top { optional Holder held = 150; } }
        service More { rpc Do(Holder) returns (Holder); }
    """,
}


@pytest.fixture(scope="module")
def schema():
    return Schema([Source("set.binpb", tuple(files().values()))])


def files():
    """What the compiler makes of them, in a set, by import path."""
    return {
        file.name: file.SerializeToString() for file in FileDescriptorSet.FromString(compile_set(FILES)).file
    }


def names(found):
    return [FileDescriptorProto.FromString(data).name for data in found]


SYMBOLS = [
    ("message", "top.Top"),
    ("nested message", "top.Top.Inner"),
    ("nested enum", "top.Top.Kind"),
    ("enum value of a nested enum", "top.Top.OLD"),
    ("enum", "top.Color"),
    ("enum value", "top.RED"),
    ("field", "top.Top.text"),
    ("nested field", "top.Top.Inner.size"),
    ("oneof", "top.Top.choice"),
    ("extension", "top.more"),
    ("nested extension", "top.Top.unit"),
    ("service", "top.Open"),
    ("method", "top.Open.Get"),
]


@pytest.mark.parametrize("symbol", [pytest.param(name, id=kind) for kind, name in SYMBOLS])
def test_z6_every_kind_of_symbol_is_found_in_its_file(schema, symbol):
    found = Symbols(schema).symbol(symbol)
    assert names(found)[0] == "top.proto"
    assert found[0] == schema.files["top.proto"]


@pytest.mark.parametrize(
    "symbol",
    [
        "top",
        "",
        ".top.Top",
        "top.Top.nothing",
        "top.Open.Nothing",
        "top.Open.Get.x",
        "nothing.Get",
        "a\0b",
        "é.x",
    ],
)
def test_z4_z6_other_names_are_not_found(schema, symbol):
    with pytest.raises(LookupError, match="there is no symbol"):
        Symbols(schema).symbol(symbol)


def test_z8_the_file_comes_first_and_then_all_that_it_imports_once_each(schema):
    found = Symbols(schema).file("top.proto")
    assert names(found)[0] == "top.proto"
    others = ["deep/one.proto", "deep/three.proto", "deep/two.proto", "google/protobuf/descriptor.proto"]
    assert sorted(names(found)[1:]) == [*others, "open.proto"]


def test_z7_a_file_has_exactly_the_path_of_its_import(schema):
    assert names(Symbols(schema).file("deep/three.proto")) == ["deep/three.proto"]
    with pytest.raises(LookupError, match=r"there is no file \./deep/three\.proto"):
        Symbols(schema).file("./deep/three.proto")


def test_z9_files_are_the_bytes_that_came_in(schema):
    for path, data in files().items():
        assert Symbols(schema).file(path)[0] == data


def test_z9_an_import_for_options_comes_too_if_it_is_there():
    one = FileDescriptorProto(name="one.proto", edition=1001, syntax="editions")
    one.option_dependency.extend(["two.proto", "nowhere.proto"])
    two = FileDescriptorProto(name="two.proto", syntax="proto3")
    schema = Schema([Source("set.binpb", (one.SerializeToString(), two.SerializeToString()))])
    assert names(Symbols(schema).file("one.proto")) == ["one.proto", "two.proto"]


@pytest.mark.parametrize(
    ("type_name", "number", "path"),
    [
        ("top.Top", 101, "top.proto"),
        ("top.Top", 150, "more.proto"),
        ("google.protobuf.FieldOptions", 50001, "top.proto"),
    ],
)
def test_z10_extensions_are_found_wherever_they_are_declared(schema, type_name, number, path):
    assert names(Symbols(schema).extension(type_name, number))[0] == path


@pytest.mark.parametrize(
    ("type_name", "number"), [("top.Top", 102), ("top.Nothing", 101), ("top.Open", 1), ("top.Top", -1)]
)
def test_z10_an_unknown_pair_is_not_found(schema, type_name, number):
    with pytest.raises(LookupError, match=f"there is no extension {number} of {type_name}"):
        Symbols(schema).extension(type_name, number)


def test_z11_numbers_of_extensions_are_sorted(schema):
    assert Symbols(schema).extension_numbers("top.Top") == [101, 150]
    assert Symbols(schema).extension_numbers("deep.One") == []
    with pytest.raises(LookupError, match="there is no message top"):
        Symbols(schema).extension_numbers("top.Nothing")


def test_the_system_schema_is_searched_too(schema):
    assert names(Symbols(schema).symbol("grpc.health.v1.Health.Check")) == ["grpc/health/v1/health.proto"]
    assert names(Symbols(schema).file("google/rpc/status.proto"))[0] == "google/rpc/status.proto"


def test_a_file_of_the_schema_comes_before_the_systems_of_the_same_name():
    own = FileDescriptorProto.FromString(system().files["google/protobuf/any.proto"])
    own.source_code_info.location.add(leading_comments=" Ours. ")
    schema = Schema([Source("set.binpb", (own.SerializeToString(),))])
    found = Symbols(schema).symbol("google.rpc.Status")
    assert names(found) == ["google/rpc/status.proto", "google/protobuf/any.proto"]
    assert b"Ours." in found[1]


# --- hidden services ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def part(schema):
    """What is to be seen without two services."""
    return Symbols(schema, {"top.Secret", "more.More"})


@pytest.mark.parametrize(
    "symbol", ["top.Secret", "top.Secret.Tell", "more.More", "more.More.Do", "more.Holder"]
)
def test_z13_a_hidden_service_is_not_found_nor_what_only_its_file_has(part, symbol):
    with pytest.raises(LookupError):
        part.symbol(symbol)


def test_z13_files_come_without_hidden_services_and_with_the_comments_of_the_others(part, schema):
    file = FileDescriptorProto.FromString(part.symbol("top.Last.End")[0])
    assert [service.name for service in file.service] == ["Open", "Last"]
    comments = {tuple(of.path): of.leading_comments for of in file.source_code_info.location}
    assert comments[6, 0] == " The open one.\n"
    assert comments[6, 1] == " The last one.\n"
    assert comments[6, 1, 2, 0] == " Ends.\n"
    assert not any("secret" in comment for comment in comments.values())
    assert part.file("deep/one.proto")[0] == schema.files["deep/one.proto"]


def test_z13_extensions_in_hidden_files_are_not_there(part):
    assert part.extension_numbers("top.Top") == [101]
    with pytest.raises(LookupError):
        part.extension("top.Top", 150)
    with pytest.raises(LookupError):
        part.file("more.proto")


def test_z13_our_own_services_are_still_there(part):
    assert names(part.symbol("grpc.health.v1.Health")) == ["grpc/health/v1/health.proto"]


def test_a_schema_without_a_package_may_hide_too():
    schema = make_schema('syntax = "proto3"; message M {} service A { rpc X(M) returns (M); } service B {}')
    file = FileDescriptorProto.FromString(Symbols(schema, {"A"}).symbol("B")[0])
    assert [service.name for service in file.service] == ["B"]
