"""A schema for plugins: package `shop.v1`, two services, all four shapes, nested types and enums."""

from __future__ import annotations

from functools import cache

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from support.protoc import compile_set

from dynconnect.plugins.handles import running
from dynconnect.rpc.context import Context
from dynconnect.rpc.metadata import Metadata
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source

ORDERS = "shop.v1.Orders"

PROTO = """
syntax = "proto3";
package shop.v1;

message Order {
  enum Kind { OLD = 0; NEW = 1; }
  message Item { string name = 1; }
  string id = 1;
  Kind kind = 2;
  repeated Item items = 3;
}

enum Color { RED = 0; BLUE = 1; }

service Orders {
  rpc GetOrder(Order) returns (Order);
  rpc ListOrders(Order) returns (stream Order);
  rpc Upload(stream Order) returns (Order);
  rpc Chat(stream Order) returns (stream Order);
}

service Stock {
  rpc Count(Order) returns (Order);
  rpc Import(Order) returns (Order);
}
"""


def make_set(proto: str = PROTO, name: str = "shop/v1/shop.proto") -> bytes:
    return compile_set({name: proto})


def make_schema(proto: str = PROTO, name: str = "shop/v1/shop.proto") -> Schema:
    """A schema of its own from one .proto text."""
    files = FileDescriptorSet.FromString(make_set(proto, name)).file
    return Schema([Source("shop.binpb", tuple(file.SerializeToString() for file in files))])


@cache
def shop() -> Schema:
    return make_schema()


def method(name: str, service: str = ORDERS) -> object:
    return shop().methods[f"/{service}/{name}"]


def context(name: str = "GetOrder") -> Context:
    return Context(method(name), "connect", Metadata())


async def answers(stream: object, name: str, *ids: str) -> list[str]:
    """The ids of what *stream*, of the method *name*, answers to orders with *ids*."""
    order = shop().message_class("shop.v1.Order")

    async def requests():
        for each in ids:
            yield order(id=each)

    with running(shop()):
        return [response.id async for response in stream(requests(), context(name))]
