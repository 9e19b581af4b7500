"""The schema that most tests of this room are about."""

from __future__ import annotations

import pytest
from support.protoc import compile_set

from dynconnect.schema.content import files_of
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source

SHOP = {
    "shop/v1/rules.proto": """
        syntax = "proto2";
        package shop.v1;
        import "google/protobuf/descriptor.proto";
        message Rule { optional string role = 1; }
        extend google.protobuf.MethodOptions { optional Rule rule = 50001; }
        message Strict { required string name = 1; optional Strict inner = 2; extensions 100 to 200; }
        extend Strict { optional string note = 100; }
    """,
    "shop/v1/shop.proto": """
        syntax = "proto3";
        package shop.v1;
        import "google/api/annotations.proto";
        import "google/protobuf/any.proto";
        import "google/protobuf/duration.proto";
        import "google/protobuf/struct.proto";
        import "google/protobuf/timestamp.proto";
        import "google/protobuf/wrappers.proto";
        import "shop/v1/rules.proto";

        // What somebody bought.
        message Order {
          enum State { NEW = 0; PAID = 1; }
          message Line { string text = 1; int32 count = 2; }
          string id = 1;
          int64 total = 2;
          State state = 3;
          repeated Line lines = 4;
          map<string, Line> named = 5;
          map<string, int32> counts = 6;
          google.protobuf.Timestamp created = 7;
          google.protobuf.Duration took = 8;
          google.protobuf.Struct extra = 9;
          google.protobuf.Any any = 10;
          google.protobuf.Value value = 11;
          google.protobuf.StringValue nickname = 12;
          repeated google.protobuf.Timestamp changes = 13;
          bytes blob = 14;
          double price = 15;
          Order parent = 16;
          oneof payment { string card = 17; Line cash = 18; }
          optional bool gift = 19;
          repeated State history = 20;
          float weight = 21;
          uint64 big = 22;
        }

        service Orders {
          rpc Get(Order) returns (Order) {
            option idempotency_level = NO_SIDE_EFFECTS;
            option (rule) = { role: "admin" };
            option (google.api.http) = { get: "/v1/orders/{id}" };
          }
          rpc Delete(Order) returns (Order) { option idempotency_level = IDEMPOTENT; }
          rpc Watch(Order) returns (stream Order);
          rpc Upload(stream Order) returns (Order);
          rpc Chat(stream Order) returns (stream Order);
          rpc Strict(shop.v1.Strict) returns (shop.v1.Strict);
        }
        service Admin { rpc Reset(Order) returns (Order); }
    """,
}


@pytest.fixture(scope="session")
def shop_set():
    """The set of the shop's schema, as protoc wrote it."""
    return compile_set(SHOP)


@pytest.fixture(scope="session")
def shop_source(shop_set):
    return Source("shop.binpb", files_of(shop_set))


@pytest.fixture(scope="session")
def shop(shop_source):
    return Schema([shop_source])


@pytest.fixture(scope="session")
def order(shop):
    """The class of ``shop.v1.Order``."""
    return shop.message_class("shop.v1.Order")
