from __future__ import annotations

import gc
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.protobuf import any_pb2, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from support.descriptors import a_chain, a_file, a_source

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.schema.content import files_of
from dynconnect.schema.finding import SchemaError
from dynconnect.schema.schema import Schema, system
from dynconnect.schema.sources import Source

# What it holds


def test_services_list_their_methods_in_declared_order(shop):
    assert list(shop.services) == ["shop.v1.Admin", "shop.v1.Orders"]
    assert [method.name for method in shop.services["shop.v1.Orders"]] == [
        "Get",
        "Delete",
        "Watch",
        "Upload",
        "Chat",
        "Strict",
    ]


def test_methods_are_found_by_their_http_path(shop):
    assert shop.methods["/shop.v1.Orders/Get"] is shop.services["shop.v1.Orders"][0]
    assert len(shop.methods) == 7


def test_services_of_completed_imports_are_not_served():
    file = a_file("a.proto", dependency=["google/longrunning/operations.proto"])
    schema = Schema([a_source("a.binpb", file)])
    assert "google/longrunning/operations.proto" in schema.files
    assert not schema.services


def test_files_keep_their_original_bytes_with_comments_and_option_imports(shop, shop_set):
    assert [shop.files[FileDescriptorProto.FromString(data).name] for data in files_of(shop_set)] == list(
        files_of(shop_set)
    )
    text = FileDescriptorProto.FromString(shop.files["shop/v1/shop.proto"])
    assert any("What somebody bought" in loc.leading_comments for loc in text.source_code_info.location)
    option_import = a_file("o.proto", option_dependency=["nowhere.proto"]).SerializeToString()
    assert Schema([a_source("o.binpb", option_import)]).files["o.proto"] == option_import


def test_origins_name_the_set_or_the_module_of_each_file(shop):
    assert shop.origins["shop/v1/shop.proto"] == "shop.binpb"
    schema = Schema([a_source("a.binpb", a_file("a.proto", dependency=["google/protobuf/any.proto"]))])
    assert schema.origins["google/protobuf/any.proto"] == "google.protobuf.any_pb2"
    assert schema.origins.keys() == schema.files.keys()


def test_nothing_in_it_can_be_changed(shop):
    for mapping in (shop.files, shop.origins, shop.services, shop.methods, shop.codecs):
        with pytest.raises(TypeError):
            mapping["x"] = None


def test_a_schema_of_nothing_has_no_services():
    assert not Schema([]).services


def test_a_schema_that_cannot_be_built_says_why():
    with pytest.raises(SchemaError, match=r"nowhere\.proto is missing"):
        Schema([a_source("a.binpb", a_file("a.proto", dependency=["nowhere.proto"]))])


def test_codecs_are_found_by_name(shop):
    assert [(name, codec.name) for name, codec in shop.codecs.items()] == [
        ("proto", "proto"),
        ("json", "json"),
    ]


def test_the_hash_tells_contents_and_nothing_else():
    a, b = a_file("a.proto", "a"), a_file("b.proto", "b")
    one = Schema([a_source("x.binpb", a, b)])
    other = Schema([a_source("y.binpb", b), a_source("z.binpb", a)])
    a.message_type[0].field[0].name = "renamed"
    changed = Schema([a_source("x.binpb", a, b)])
    assert one.hash == other.hash != changed.hash
    assert int(one.hash, 16)


# Classes


def test_a_message_class_is_made_once(shop):
    order = shop.message_class("shop.v1.Order")
    assert shop.message_class("shop.v1.Order") is order
    assert repr(order) == "<class 'shop.v1.Order'>"
    assert order(id="a").id == "a"


def test_classes_are_made_only_when_they_are_asked_for(shop_source):
    schema = Schema([shop_source])
    assert set(schema._classes) == {"google.protobuf.MethodOptions"}


def test_nested_types_have_classes_too(shop):
    assert shop.message_class("shop.v1.Order.Line")(text="x").text == "x"


def test_the_class_of_a_field_is_the_schemas_own(shop_source):
    schema = Schema([shop_source])
    order = schema.message_class("shop.v1.Order")()
    made_by_upb = type(order.created)
    assert schema.message_class("google.protobuf.Timestamp") is made_by_upb
    assert hasattr(order.created, "FromDatetime")
    line = schema.message_class("shop.v1.Order.Line")
    assert type(order.lines.add()) is line


@pytest.mark.parametrize(
    "name", ["shop.v1.Nothing", "shop.v1.Order.State", "shop.v1.Orders", "", "a..b", "\ud800", "a\0"]
)
def test_a_class_that_is_not_there_is_a_lookup_error(shop, name):
    with pytest.raises(LookupError, match="no message"):
        shop.message_class(name)


@pytest.mark.parametrize("asked", ["c.M599", "c.M0"])
def test_a_chain_of_600_types_works(asked):
    schema = Schema([a_source("c.binpb", a_chain(600))])
    top = schema.message_class("c.M599")()
    message = top
    for _ in range(90):
        message.p.SetInParent()
        message = message.p
    for codec in schema.codecs.values():
        assert codec.decode(codec.encode(top), type(top)) == top
    any_message = any_pb2.Any(type_url=f"t/{asked}")
    any_class = system().message_class("google.protobuf.Any")
    again = any_class.FromString(any_message.SerializeToString())
    assert f"t/{asked}".encode() in schema.codecs["json"].encode(again)


def test_get_message_class_is_never_called(shop_source, monkeypatch):
    def overflow(descriptor):
        raise RecursionError(descriptor.full_name)

    monkeypatch.setattr(message_factory, "_InternalCreateMessageClass", overflow)
    schema = Schema([shop_source])
    cls = schema.message_class("shop.v1.Order")
    message = cls(id="a", parent={"lines": [{"text": "x"}]})
    for codec in schema.codecs.values():
        assert codec.decode(codec.encode(message), cls) == message


def test_x2_a_type_is_looked_up_in_the_schema_first_then_in_the_system(shop):
    assert shop.find_message_class("shop.v1.Order") is shop.message_class("shop.v1.Order")
    assert shop.find_message_class("google.protobuf.Any") is shop.message_class("google.protobuf.Any")
    info = shop.find_message_class("google.rpc.ErrorInfo")
    assert info is system().message_class("google.rpc.ErrorInfo")
    assert info is not error_details_pb2.ErrorInfo
    assert shop.find_message_class("shop.v1.Nothing") is None


# Life


def test_a_dropped_schema_is_collected_with_its_classes(shop_source):
    schema = Schema([shop_source])
    method = schema.methods["/shop.v1.Orders/Get"]
    message = method.as_output({"id": "a", "created": None, "parent": {"id": "b"}})
    for codec in schema.codecs.values():
        codec.decode(codec.encode(message), method.input)
    schema.pack(ConnectError(Code.INTERNAL, "", [message, error_details_pb2.ErrorInfo()]))
    watched = [weakref.ref(thing) for thing in (schema, method, type(message), type(message.parent))]
    del schema, method, message, codec
    gc.collect()
    assert [reference() for reference in watched] == [None] * 4


def test_a_message_outlives_its_schema(shop_source):
    message = Schema([shop_source]).message_class("shop.v1.Order")(id="a")
    gc.collect()
    assert message.SerializeToString() == b"\x0a\x01a"


def test_schemas_are_built_in_threads_at_once(shop_source):
    with ThreadPoolExecutor(8) as threads:
        built = list(threads.map(lambda _: Schema([shop_source]), range(32)))
    assert len({schema.hash for schema in built}) == 1
    assert len({schema.message_class("shop.v1.Order") for schema in built}) == 32


def test_threads_that_ask_at_once_get_the_same_class():
    schema = Schema([a_source("c.binpb", a_chain(400))])
    start = threading.Barrier(8)

    def ask(_):
        start.wait()
        return [schema.message_class(f"c.M{index}") for index in range(400)]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    assert all(answer == answers[0] for answer in answers)


def test_there_is_one_system_schema_for_all_threads(monkeypatch):
    monkeypatch.setattr("dynconnect.schema.schema._system", [])
    start = threading.Barrier(8)

    def ask(_):
        start.wait()
        return system()

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(ask, range(8)))) == 1


def test_five_thousand_messages_are_built_in_well_under_a_second():
    file = FileDescriptorProto(name="big.proto", package="big", syntax="proto3")
    for index in range(5000):
        message = file.message_type.add(name=f"M{index}")
        for number in range(1, 11):
            message.field.add(name=f"f{number}", number=number, type="TYPE_STRING", label="LABEL_OPTIONAL")
    source = a_source("big.binpb", file)
    began = time.process_time()
    Schema([source])
    # It takes 0.15 s; the rest is for slow machines, not for slow code.
    assert time.process_time() - began < 1


# Errors


def test_errors_are_packed_with_the_types_of_the_schema_and_the_system(shop):
    error = ConnectError(
        Code.NOT_FOUND,
        "gone",
        [{"@type": "shop.v1.Order", "id": "a"}, {"@type": "google.rpc.ErrorInfo", "reason": "R"}],
    )
    packed = shop.pack(error)
    assert packed.details == (
        ErrorDetail("shop.v1.Order", b"\x0a\x01a", {"id": "a"}),
        ErrorDetail("google.rpc.ErrorInfo", b"\x0a\x01R", {"reason": "R"}),
    )
    assert isinstance(shop.find_message_class("shop.v1.Order")(), Message)


def test_a_source_may_be_read_from_nowhere():
    assert Schema([Source("nowhere", ())]).services == {}
