from __future__ import annotations

import logging

import pytest
from google.protobuf import any_pb2, timestamp_pb2
from google.rpc import error_details_pb2

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.rpc.metadata import Metadata
from dynconnect.schema.schema import Schema


def an_error(*details):
    return ConnectError(Code.NOT_FOUND, "gone", details, metadata={"x-a": "1"})


@pytest.fixture
def packed(shop):
    def pack(*details):
        return shop.pack(an_error(*details)).details

    return pack


def test_code_message_and_metadata_are_kept(shop):
    packed = shop.pack(an_error(error_details_pb2.ErrorInfo(reason="R")))
    assert (packed.code, packed.message, packed.metadata) == (Code.NOT_FOUND, "gone", Metadata({"x-a": "1"}))


def test_an_error_without_details_is_itself(shop):
    error = an_error()
    assert shop.pack(error) is error


def test_the_error_that_was_raised_is_not_changed(shop):
    detail = error_details_pb2.ErrorInfo(reason="R")
    error = an_error(detail)
    shop.pack(error)
    assert error.details == (detail,)


def test_where_it_was_raised_is_kept(shop):
    with pytest.raises(ConnectError) as caught:
        raise an_error({"@type": "google.rpc.ErrorInfo"})
    assert shop.pack(caught.value).__traceback__ is caught.value.__traceback__


def test_x2_a_message_of_any_pool_is_packed_with_its_json(packed, order, shop_source):
    other = Schema([shop_source]).message_class("shop.v1.Order")
    stamp = timestamp_pb2.Timestamp(seconds=5)
    assert packed(order(id="a"), other(id="b"), stamp) == (
        ErrorDetail("shop.v1.Order", b"\x0a\x01a", {"id": "a"}),
        ErrorDetail("shop.v1.Order", b"\x0a\x01b", {"id": "b"}),
        ErrorDetail("google.protobuf.Timestamp", b"\x08\x05", "1970-01-01T00:00:05Z"),
    )


@pytest.mark.parametrize("prefix", ["", "type.googleapis.com/", "/", "my.host/a/b/"])
def test_a_mapping_names_its_type_with_or_without_a_prefix(packed, prefix):
    (detail,) = packed({"@type": f"{prefix}google.rpc.ErrorInfo", "reason": "R", "metadata": {"k": "v"}})
    assert detail.type == "google.rpc.ErrorInfo"
    assert detail.debug == {"reason": "R", "metadata": {"k": "v"}}
    assert error_details_pb2.ErrorInfo.FromString(detail.value).metadata == {"k": "v"}


def test_an_any_is_a_detail_already(packed):
    wrapped = any_pb2.Any()
    wrapped.Pack(error_details_pb2.ErrorInfo(reason="R"))
    assert packed(wrapped) == (ErrorDetail("google.rpc.ErrorInfo", b"\x0a\x01R", {"reason": "R"}),)


def test_a_ready_detail_gets_its_json_where_its_type_is_known(packed):
    ready = ErrorDetail("shop.v1.Order", b"\x0a\x01a")
    assert packed(ready) == (ErrorDetail("shop.v1.Order", b"\x0a\x01a", {"id": "a"}),)


def test_a_ready_detail_with_json_is_kept(packed):
    ready = ErrorDetail("some.where.Else", b"\x01", {"a": 1})
    assert packed(ready) == (ready,)


def test_x2_debug_is_left_out_where_the_type_is_not_known(packed):
    assert packed(ErrorDetail("some.where.Else", b"\x01")) == (ErrorDetail("some.where.Else", b"\x01", None),)


def test_x2_debug_is_left_out_where_the_value_is_not_of_its_type(packed):
    assert packed(ErrorDetail("shop.v1.Order", b"\xff")) == (ErrorDetail("shop.v1.Order", b"\xff", None),)


def test_x2_debug_is_left_out_where_an_any_inside_is_not_known(packed, order):
    message = order(any={"type_url": "t/some.where.Else", "value": b"x"})
    (detail,) = packed(message)
    assert detail.value == message.SerializeToString()
    assert detail.debug is None


UNPACKABLE = [
    pytest.param({"@type": "some.where.Else"}, "some.where.Else is not in the schema", id="unknown type"),
    pytest.param({"reason": "R"}, "no member @type", id="no type"),
    pytest.param({"@type": None}, "None is not in the schema", id="a type that is no name"),
    pytest.param({"@type": "shop.v1.Order", "nope": 1}, "no field 'nope'", id="unknown field"),
    pytest.param({"@type": "shop.v1.Strict"}, "name", id="missing required field"),
    pytest.param("text", "not a message or a mapping", id="no detail at all"),
    pytest.param(None, "not a message or a mapping", id="nothing"),
]


@pytest.mark.parametrize(("detail", "why"), UNPACKABLE)
def test_k22_a_detail_that_cannot_be_packed_is_left_out_and_logged(packed, caplog, detail, why):
    good = ErrorDetail("google.rpc.ErrorInfo", b"\x0a\x01R", {"reason": "R"})
    with caplog.at_level(logging.WARNING, "dynconnect"):
        assert packed(good, detail, good) == (good, good)
    (record,) = caplog.records
    assert why in record.getMessage()
    assert record.name == "dynconnect.schema.details"
