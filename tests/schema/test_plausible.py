"""Made-up messages: shaped by their schema, whatever it is, and the same each time."""

from __future__ import annotations

import random
import re

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from support.google_types import common
from support.protoc import compile_set

from dynconnect.schema.load import load
from dynconnect.schema.plausible import copy_alike, plausible
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source

PROTO = """
syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";
enum State { STATE_UNKNOWN = 0; STATE_SENT = 1; STATE_LOST = 2; }
message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }
message Order {
  string order_id = 1;
  string customer_email = 2;
  string first_name = 3;
  google.protobuf.Timestamp created_at = 4;
  Money price = 5;
  State state = 6;
  repeated string tags = 7;
  map<string, int32> counts = 8;
  oneof pay { string card = 9; string cash = 10; }
  Order parent = 11;
  optional bool gift = 12;
  double latitude = 13;
  repeated Order parts = 14;
}
message Asked {
  string order_id = 1;
  Money price = 2;
  repeated string tags = 3;
  int32 state = 4;
  map<string, int32> counts = 5;
}
"""


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    path = tmp_path_factory.mktemp("shop") / "shop.binpb"
    path.write_bytes(compile_set({"shop.proto": PROTO}))
    return Schema(load([str(path)]))


def made(schema, name, seed=1):
    return plausible(schema.message_class(name), random.Random(seed))  # noqa: S311  no secret


def test_fields_look_like_what_their_names_say(schema):
    for seed in range(20):
        order = made(schema, "shop.v1.Order", seed)
        assert re.fullmatch(r"order-\d{4}", order.order_id)
        assert re.fullmatch(r"[\w.]+@example\.com", order.customer_email)
        assert order.first_name.isalpha()
        assert order.created_at.ToDatetime().year == 2026
        assert re.fullmatch(r"[A-Z]{3}", order.price.currency_code)
        assert 0 <= order.price.nanos < 10**9
        assert order.state in (1, 2)
        assert len(order.tags) in (2, 3)
        assert len(order.counts) in (2, 3)
        assert order.WhichOneof("pay")
        assert order.HasField("gift")
        assert -90 <= order.latitude <= 90


def test_a_type_inside_itself_ends(schema):
    order = made(schema, "shop.v1.Order")
    assert order.HasField("parent")
    assert not order.parent.HasField("parent")
    assert order.ByteSize() < 10_000


def test_an_any_holds_what_its_reader_knows(tmp_path):
    text = PROTO.replace(
        "enum State",
        'import "google/protobuf/any.proto";\nmessage Box { google.protobuf.Any held = 1; }\nenum State',
    )
    (tmp_path / "box.binpb").write_bytes(compile_set({"shop.proto": text}))
    schema = Schema(load([str(tmp_path / "box.binpb")]))
    kinds = {made(schema, "shop.v1.Box", seed).held.type_url for seed in range(20)}
    assert kinds == {f"type.googleapis.com/shop.v1.{name}" for name in ("Money", "Order", "Asked")}
    check(schema, "shop.v1.Box")


def test_the_same_seed_makes_the_same(schema):
    first, again, other = (made(schema, "shop.v1.Order", seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_what_is_alike_is_copied(schema):
    asked = schema.message_class("shop.v1.Asked")(order_id="mine", tags=["a"], state=77, counts={"k": 9})
    asked.price.units = 5
    order = made(schema, "shop.v1.Order")
    copy_alike(asked, order)
    assert (order.order_id, list(order.tags), dict(order.counts)) == ("mine", ["a"], {"k": 9})
    assert (order.price.units, order.price.currency_code) == (5, "")
    assert order.state != 77, "an int32 is no State"


COMMON = {"google.rpc.Status", "google.type.Money", "google.api.HttpRule", "google.longrunning.Operation"}


def check(schema, name):
    """That *name* can be made up, written and read, and is of bounded size."""
    message = made(schema, name)
    data = message.SerializeToString()
    assert len(data) < 100_000
    assert type(message).FromString(data) == message
    codec = schema.codecs["json"]
    assert codec.decode(codec.encode(message), type(message)) == message


def test_all_that_is_common_can_be_made_up():
    schema, names = common()
    assert {*names} > COMMON
    assert len(names) > 100
    for name in names:
        check(schema, name)


def generated(seed):
    """A schema made up by chance: messages that hold each other, of every kind of field."""
    chance = random.Random(seed)  # noqa: S311  as above
    file = FileDescriptorProto(name=f"g{seed}.proto", package="g", syntax="proto3")
    enum = file.enum_type.add(name="E")
    for number in range(chance.randint(1, 3)):
        enum.value.add(name=f"E_{number}", number=number)
    count = chance.randint(1, 6)
    kinds = [kind for kind in FieldDescriptorProto.Type.values() if kind != FieldDescriptorProto.TYPE_GROUP]
    for at in range(count):
        message = file.message_type.add(name=f"M{at}")
        for number in range(1, chance.randint(1, 12)):
            field = message.field.add(name=f"f{number}", number=number, type=chance.choice(kinds))
            field.label = chance.choice(
                (FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED)
            )
            if field.type == FieldDescriptorProto.TYPE_MESSAGE:
                field.type_name = f".g.M{chance.randrange(count)}"
            elif field.type == FieldDescriptorProto.TYPE_ENUM:
                field.type_name = ".g.E"
    return Schema([Source("g.binpb", (file.SerializeToString(),))])


def test_messages_of_500_generated_schemas_can_be_made_up():
    for seed in range(500):
        schema = generated(seed)
        for message in schema.pool.FindFileByName(f"g{seed}.proto").message_types_by_name.values():
            check(schema, message.full_name)
