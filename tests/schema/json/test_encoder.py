"""What is written, and that both ways of writing give the same."""

from __future__ import annotations

import json

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from support import json_fuzz
from support.descriptors import a_source

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.schema.codec import Json
from dynconnect.schema.json import encoder
from dynconnect.schema.json.encoder import Encoder
from dynconnect.schema.json.options import JsonOptions
from dynconnect.schema.schema import Schema


@pytest.fixture
def everything():
    return json_fuzz.schema().message_class("fuzz.Everything")


def written(message):
    return json.loads(json_fuzz.schema().codecs["json"].encode(message))


@pytest.mark.parametrize("more", [0, 20])
def test_fields_may_be_called_as_methods_and_words_of_python_are(more):
    names = [
        "class",
        "None",
        "HasField",
        "WhichOneof",
        "ListFields",
        "Extensions",
        "m",
        "d",
        "v",
        "write",
        "n3",
    ]
    file = FileDescriptorProto(name="odd.proto", syntax="proto3")
    message = file.message_type.add(name="Odd")
    for number, name in enumerate([*names, *(f"more{one}" for one in range(more))], 1):
        message.field.add(
            name=name, number=number, json_name=name, type="TYPE_STRING", label="LABEL_OPTIONAL"
        )
    schema = Schema([a_source("odd.binpb", file)])
    codec, odd = schema.codecs["json"], schema.message_class("Odd")
    for fields in ({name: "x"} for name in [*names, *names]):
        assert codec.decode(codec.encode(odd(**fields)), odd) == odd(**fields)
        assert json.loads(codec.encode(odd(**fields))) == fields


def test_zero_with_a_sign_is_no_default(everything):
    assert json.loads(json.dumps(written(everything(double_value=-0.0, float_value=0.0)))) == {
        "doubleValue": -0.0
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (3.4028234663852886e38, "3.4028235e+38"),
        (1e-45, "1.4013e-45"),
        (16777216.0, "16777216.0"),
    ],
)
def test_floats_have_no_more_digits_than_32_bits_need(everything, value, text):
    assert json.loads(text) == written(everything(float_value=value))["floatValue"]


UNWRITABLE = [
    ({"timestamp": {"seconds": 253402300800}}, "a Timestamp must be in the years 1 to 9999"),
    ({"duration": {"seconds": 1, "nanos": -1}}, "a Duration must be within 10,000 years"),
    ({"mask": {"paths": ["aB"]}}, "the path 'aB' of a FieldMask can't be written"),
    ({"value": {"number_value": float("inf")}}, "a Value must be a finite number"),
    ({"any": {"type_url": "t/no.Such"}}, "there is no message no.Such in the schema"),
    ({"any": {"type_url": "t/fuzz.Everything", "value": b"\xff"}}, "an Any holds no fuzz.Everything"),
]


@pytest.mark.parametrize(("fields", "message"), UNWRITABLE, ids=[message[:30] for _, message in UNWRITABLE])
def test_m5_what_json_can_not_say_is_our_fault(everything, fields, message):
    with pytest.raises(ConnectError) as caught:
        json_fuzz.schema().codecs["json"].encode(everything(**fields))
    assert caught.value.code is Code.INTERNAL
    assert caught.value.message.startswith(f"cannot encode fuzz.Everything: {message}")


def test_both_ways_of_writing_give_the_same(monkeypatch):
    find = json_fuzz.schema().find_message_class
    codecs = []
    for wide, narrow in ((10**6, 10**6), (0, 0)):
        monkeypatch.setattr(encoder, "WIDE", wide)
        monkeypatch.setattr(encoder, "NARROW", narrow)
        codec = Json(find)
        for cls in map(json_fuzz.schema().message_class, json_fuzz.TYPES):
            assert len(list(codec.warm(cls))) > 0
        codecs.append(codec)
    chance = json_fuzz.Chance(3)
    for _ in range(500):
        message = chance.message()
        one, other = (codec.encode(message) for codec in codecs)
        assert json.loads(one) == json.loads(other)


def test_the_way_follows_how_full_messages_are(everything):
    chosen = []

    class Watched(Encoder):
        def _narrow(self, descriptor):
            write = super()._narrow(descriptor)
            return lambda message: (chosen.append("narrow"), write(message))[1]

        def _wide(self, descriptor):
            write = super()._wide(descriptor)
            return lambda message: (chosen.append("wide"), write(message))[1]

    cls = json_fuzz.schema().message_class("fuzz.Wide")
    full = cls(a=1, b="x", c=1.5, e=1, f=True, g=5, i=2.5, j=b"x", k=3, m="y")
    write = Watched(json_fuzz.schema().find_message_class, JsonOptions())
    for message in (cls(a=1), cls(a=1), full, full):
        write.value(message)
    assert chosen == ["narrow", "wide", "wide", "narrow"]
