"""What upb's private pools do and don't: the ground under the design of this room.

Nothing of dynconnect is tested here. When one of these fails after an upgrade of protobuf, a decision
of the schema room may rest on nothing any more.
"""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message_factory,
    struct_pb2,
    timestamp_pb2,
)
from google.protobuf.message import Message
from google.protobuf.reflection import GeneratedProtocolMessageType
from google.rpc import error_details_pb2
from support.descriptors import a_chain, a_file
from support.protoc import compile_set

PROTOS = {
    "x/opts.proto": """
        syntax = "proto2";
        package x;
        import "google/protobuf/descriptor.proto";
        message Rule { optional string role = 1; }
        extend google.protobuf.MethodOptions { optional Rule auth = 50001; }
    """,
    "x/new.proto": """
        edition = "2024";
        package x;
        import option "x/opts.proto";
        message E24 { string a = 1; }
        service N { rpc Do(E24) returns (E24) { option (auth) = { role: "new" }; } }
    """,
    "x/svc.proto": """
        syntax = "proto3";
        package x;
        import "x/opts.proto";
        import "google/protobuf/any.proto";
        import "google/protobuf/struct.proto";
        import "google/protobuf/timestamp.proto";
        import "google/rpc/status.proto";
        // The comment.
        message W {
          google.protobuf.Any any = 1;
          google.protobuf.Struct st = 2;
          google.protobuf.Timestamp ts = 3;
          google.rpc.Status status = 4;
          string s = 5;
        }
        service S { rpc Do(W) returns (W) { option (auth) = { role: "admin" }; } }
    """,
}


@pytest.fixture(scope="module")
def files():
    return descriptor_pb2.FileDescriptorSet.FromString(compile_set(PROTOS)).file


def build(files):
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


@pytest.fixture(scope="module")
def pool(files):
    return build(files)


@pytest.fixture(scope="module")
def cls(pool):
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("x.W"))


@pytest.fixture(scope="module")
def shuffled(files):
    mixed = list(files)
    random.Random(1).shuffle(mixed)  # noqa: S311  an order, no secret
    return mixed


def test_files_must_be_added_in_the_order_of_their_imports(shuffled):
    with pytest.raises(TypeError, match="Depends on file"):
        build(shuffled)


def test_a_pool_over_a_descriptor_database_takes_any_order(shuffled):
    by_name = {file.name: file for file in shuffled}

    def nothing(name):
        raise KeyError(name)

    database = SimpleNamespace(FindFileByName=by_name.__getitem__, FindFileContainingSymbol=nothing)
    pool = descriptor_pool.DescriptorPool(database)
    assert [pool.FindFileByName(file.name).name for file in shuffled] == list(by_name)


def test_a_missing_import_is_named(files):
    with pytest.raises(TypeError, match=r"x/opts\.proto"):
        build(files[-1:])


def test_a_set_cannot_be_added_twice_though_it_is_equal(files):
    with pytest.raises(TypeError, match=r"duplicate file name google/protobuf/descriptor\.proto"):
        build([*files, *files])


def test_an_unreleased_edition_is_taken_without_a_word():
    assert build([a_file("o.proto", syntax="editions", edition=9999)]).FindFileByName("o.proto")


def test_reserved_numbers_and_names_in_use_are_taken_without_a_word():
    file = a_file("o.proto")
    file.message_type[0].reserved_range.add(start=1, end=2)
    file.message_type[0].reserved_name.append("a")
    assert build([file]).FindMessageTypeByName("t.M").fields_by_name["a"].number == 1


def test_well_known_types_of_a_private_pool_have_their_helpers(cls):
    message = cls()
    assert hasattr(message.ts, "FromJsonString")
    assert hasattr(message.any, "Pack")


def test_well_known_types_of_a_private_pool_are_not_the_imported_classes(cls):
    assert type(cls().ts) is not timestamp_pb2.Timestamp


def test_copying_between_pools_fails(cls):
    with pytest.raises(TypeError, match="must be instance of same class"):
        cls().ts.CopyFrom(timestamp_pb2.Timestamp(seconds=5))


def test_the_constructor_misreads_a_message_of_another_pool(cls):
    with pytest.raises(TypeError, match="Expected a datetime"):
        cls(ts=timestamp_pb2.Timestamp(seconds=5))


def test_the_constructor_takes_a_struct_of_another_pool_for_a_mapping(cls):
    assert cls(st=struct_pb2.Struct(fields={"a": {"bool_value": True}})).st["a"] is True


def test_bytes_cross_between_pools(cls):
    foreign = timestamp_pb2.Timestamp(seconds=5).SerializeToString()
    own = cls(ts={"seconds": 5})
    assert own.ts == type(own.ts).FromString(foreign)


def test_any_packs_a_message_of_any_pool(cls):
    message = cls()
    message.any.Pack(error_details_pb2.ErrorInfo(reason="R"))
    assert message.any.type_url.endswith("google.rpc.ErrorInfo")


def test_json_of_an_any_needs_a_pool_that_has_its_type(cls, pool):
    message = cls()
    message.any.Pack(error_details_pb2.ErrorInfo(reason="R"))
    with pytest.raises(TypeError, match="Can not find message descriptor"):
        json_format.MessageToJson(message, descriptor_pool=pool)


def test_json_of_an_any_does_not_find_private_types_by_itself(cls):
    message = cls()
    message.any.Pack(cls(s="x"))
    with pytest.raises(TypeError, match="Can not find message descriptor"):
        json_format.MessageToJson(message)


@pytest.fixture(scope="module")
def options(pool):
    return pool.FindMethodByName("x.S.Do").GetOptions()


def test_options_come_in_the_default_pools_class_which_knows_no_custom_ones(options):
    assert type(options) is descriptor_pb2.MethodOptions
    assert not options.ListFields()


def test_options_parsed_again_with_the_private_class_have_the_custom_ones(pool, options):
    private = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.MethodOptions"))
    again = private.FromString(options.SerializeToString())
    assert again.Extensions[pool.FindExtensionByName("x.auth")].role == "admin"


def copied(pool, name):
    copy = descriptor_pb2.FileDescriptorProto()
    pool.FindFileByName(name).CopyToProto(copy)
    return copy


def test_a_pool_forgets_comments(pool, files):
    assert files[-1].name == "x/svc.proto"
    assert files[-1].HasField("source_code_info")
    assert not copied(pool, "x/svc.proto").HasField("source_code_info")


def test_a_pool_forgets_option_imports(pool, files):
    assert [list(file.option_dependency) for file in files if file.name == "x/new.proto"] == [
        ["x/opts.proto"]
    ]
    assert not copied(pool, "x/new.proto").option_dependency


def test_a_pool_does_not_ask_for_option_imports():
    assert build([a_file("o.proto", option_dependency=["nowhere.proto"])]).FindFileByName("o.proto")


def test_a_file_is_not_found_by_its_methods(pool):
    with pytest.raises(KeyError):
        pool.FindFileContainingSymbol("x.S.Do")


def test_a_method_is_found_by_its_name(pool):
    assert pool.FindMethodByName("x.S.Do").containing_service.full_name == "x.S"


def test_messages_outlive_every_name_of_their_pool(files):
    pool = build(files)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName("x.W"))(s="a")
    del pool
    assert message.SerializeToString() == b"*\x01a"


def test_get_message_class_overflows_on_a_long_chain_of_types():
    pool = build([a_chain(600)])
    with pytest.raises(RecursionError):
        message_factory.GetMessageClass(pool.FindMessageTypeByName("c.M599"))


def test_the_class_of_a_nested_field_is_the_one_class_of_its_descriptor():
    pool = build([a_chain(3)])

    def made(name):
        descriptor = pool.FindMessageTypeByName(name)
        return GeneratedProtocolMessageType(descriptor.name, (Message,), {"DESCRIPTOR": descriptor})

    outer = made("c.M2")
    by_upb = type(outer().p)
    assert made("c.M1") is by_upb
    assert made("c.M2") is outer
