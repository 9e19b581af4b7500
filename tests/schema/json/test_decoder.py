"""Errors that a caller can act on, and the ways of reading that few documents take."""

from __future__ import annotations

import json

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from support import json_fuzz
from support.protoc import compile_set

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source


@pytest.fixture
def codec():
    return json_fuzz.schema().codecs["json"]


@pytest.fixture
def everything():
    return json_fuzz.schema().message_class("fuzz.Everything")


@pytest.fixture
def old():
    return json_fuzz.schema().message_class("fuzz.old.Old")


def refused(codec, document, cls):
    with pytest.raises(ConnectError) as caught:
        codec.decode(json.dumps(document).encode(), cls)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message.removeprefix(f"cannot decode {cls.DESCRIPTOR.full_name}: ")


WRONG = [
    ({"inners": [{}, {"doubleValue": "abc"}]}, 'inners[1].doubleValue: expected a number, got "abc"'),
    ({"byName": {"a b": {"numbers": [1, None]}}}, "byName['a b'].numbers[1]: null can't be in an array"),
    ({"byNumber": {"x": 1}}, "byNumber['x']: expected an integer from -2147483648 to 2147483647, got \"x\""),
    ({"byBool": {"1": 0}}, 'byBool[\'1\']: expected "true" or "false", got "1"'),
    ({"byNumber": {"1": 1, "1.0": 2}}, "byNumber: a map has the same key twice"),
    ({"texts": {"a": None}}, "texts['a']: null can't be in a map"),
    ({"int32Value": 1, "int32_value": 2}, "a field is given by both of its names"),
    ({"chosenNumber": 1, "chosenText": "x"}, "more than one field of oneof choice is given"),
    ({"color": "RED"}, 'color: expected a value of fuzz.Color, got "RED"'),
    ({"boolValue": 1}, "boolValue: expected true or false, got 1"),
    ({"stringValue": []}, "stringValue: expected a string, got an array"),
    ({"bytesValue": 5}, "bytesValue: expected base64 in a string, got 5"),
    ({"floatValue": 1e39}, "floatValue: expected a number of 32 bits, got 1e+39"),
    ({"wrappedBig": True}, "wrappedBig: expected an integer from -9223372036854775808 to "),
    ({"timestamp": "now"}, 'timestamp: expected a Timestamp such as 2026-01-02T03:04:05Z, got "now"'),
    ({"duration": "1"}, 'duration: expected a Duration such as 1.5s, got "1"'),
    ({"mask": "a_b"}, "mask: expected a FieldMask: paths in lowerCamelCase, with commas between them, got"),
    ({"struct": []}, "struct: expected an object, got an array"),
    ({"list": {}}, "list: expected an array, got an object"),
    ({"any": {"@type": "t/no.Such"}}, "any: there is no message no.Such in the schema"),
    (
        {"any": {"@type": "t/google.protobuf.Duration"}},
        "any: an Any with google.protobuf.Duration needs value",
    ),
    (
        {"any": {"@type": "t/fuzz.Everything", "color": "X"}},
        'any.color: expected a value of fuzz.Color, got "X"',
    ),
    ({"stringValue": 5, "unknown": "x" * 500}, "stringValue: expected a string, got 5"),
    ({"doubleValue": "x" * 500}, f'doubleValue: expected a number, got "{"x" * 59}…'),
]


@pytest.mark.parametrize(("document", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_an_error_names_the_path_and_what_was_expected(codec, everything, document, message):
    assert refused(codec, document, everything).startswith(message)


def test_extensions_are_read_at_any_depth(codec, old):
    text = {
        "number": 1,
        "part": {"old": {"[fuzz.old.big]": "9007199254740993", "[fuzz.old.words]": ["a", "b"]}},
        "[fuzz.old.Holder.nested]": {"[fuzz.old.big]": 7, "text": "x"},
    }
    message = codec.decode(json.dumps(text).encode(), old)
    assert json.loads(codec.encode(message)) == {
        **text,
        "[fuzz.old.Holder.nested]": {"[fuzz.old.big]": "7", "text": "x"},
    }
    assert refused(codec, {"[fuzz.old.Holder.nested]": {"[fuzz.old.big]": "x"}}, old).startswith(
        "[fuzz.old.Holder.nested].[fuzz.old.big]: expected an integer"
    )
    assert codec.decode(b'{"[fuzz.old.big]": null}', old) == old()


def test_messages_with_extensions_are_read_in_lists_and_maps():
    proto = """
        syntax = "proto2";
        package x;
        message Open { optional int32 n = 1; extensions 100 to 200; }
        extend Open { optional string note = 100; optional Open open = 101; repeated Open opens = 102; }
        message Holder { repeated Open list = 1; map<string, Open> named = 2; oneof one { Open chosen = 3; } }
    """
    files = FileDescriptorSet.FromString(compile_set({"x.proto": proto})).file
    schema = Schema([Source("x.binpb", tuple(file.SerializeToString() for file in files))])
    codec, text = (
        schema.codecs["json"],
        {
            "list": [{"n": 1}, {"[x.note]": "a"}],
            "named": {"k": {"n": 2, "[x.note]": "b"}},
            "chosen": {"[x.open]": {"[x.opens]": [{"n": 3}, {"[x.note]": "c"}]}},
        },
    )
    message = codec.decode(json.dumps(text).encode(), schema.message_class("x.Holder"))
    assert json.loads(codec.encode(message)) == text


def test_enums_have_the_names_in_json_that_the_schema_chooses():
    option = pytest.importorskip(
        "google.protobuf.json_enumvalue_options_pb2", reason="protobuf is older"
    ).DESCRIPTOR
    proto = """
        syntax = "proto3";
        package e;
        enum Color { NONE = 0; RED = 1; }
        message Paint { Color color = 1; repeated Color colors = 2; }
    """
    (file,) = FileDescriptorSet.FromString(compile_set({"e.proto": proto})).file
    file.dependency.append(option.name)
    # pb.enumvalue.json, number 998, whose field 1 is the text
    file.enum_type[0].value[1].options.MergeFromString(b"\xb2\x3e\x06\x0a\x04rosy")
    schema = Schema([Source("e.binpb", (file.SerializeToString(), option.serialized_pb))])
    codec, paint = schema.codecs["json"], schema.message_class("e.Paint")
    assert codec.encode(paint(color=1, colors=[0, 1])) == b'{"color":"rosy","colors":["NONE","rosy"]}'
    for name in ('"rosy"', '"RED"', "1"):
        assert codec.decode(b'{"color": %s}' % name.encode(), paint).color == 1


def test_integers_of_64_bits_are_exact_however_they_are_written(codec, everything):
    low = -(2**63)
    for text in (str(low), f'"{low}"', f"{low}.0", f'"{low}.0"', "-9.223372036854775808e18"):
        assert codec.decode(b'{"int64Value": %s}' % text.encode(), everything).int64_value == low
    for text in (str(low - 1), f'"{low - 1}"', f"{low}.5", "1e400", "-9.223372036854775809e18"):
        with pytest.raises(ConnectError):
            codec.decode(b'{"int64Value": %s}' % text.encode(), everything)


def test_a_struct_alone_may_have_any_names(codec):
    cls = json_fuzz.schema().find_message_class("google.protobuf.Struct")
    assert json.loads(codec.encode(codec.decode(b'{"fields": [1], "cls": null}', cls))) == {
        "fields": [1.0],
        "cls": None,
    }
