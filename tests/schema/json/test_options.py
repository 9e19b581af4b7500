from __future__ import annotations

import json

import pytest
from support import json_fuzz

from dynconnect.rpc.errors import ConnectError
from dynconnect.schema.json.options import NAMES, JsonOptions, parse_options


def codec(*names):
    return json_fuzz.schema().codecs_with(parse_options(names))["json"]


@pytest.fixture
def everything():
    return json_fuzz.schema().message_class("fuzz.Everything")


def test_names_switch_options_on():
    assert parse_options([]) == JsonOptions()
    assert parse_options(["strict", "proto-names"]) == JsonOptions(strict=True, proto_names=True)
    assert NAMES == ("defaults", "proto-names", "enum-numbers", "strict")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("default", "did you mean defaults?"),
        ("skip-unknown-enums", "there is defaults, proto-names, enum-numbers, strict"),
    ],
)
def test_an_option_that_there_is_not_is_an_error(name, hint):
    with pytest.raises(ValueError, match="there is no JSON option") as caught:
        parse_options([name])
    assert str(caught.value).endswith(hint)


def test_codecs_of_equal_options_are_the_same():
    assert codec("strict") is codec("strict")
    assert codec() is json_fuzz.schema().codecs["json"]


def test_defaults_are_written_but_for_fields_with_presence(everything):
    found = json.loads(codec("defaults").encode(everything(int32_value=5)))
    assert (found["int32Value"], found["stringValue"], found["color"]) == (5, "", "COLOR_NONE")
    assert (found["strings"], found["byName"], found["int64Value"], found["bytesValue"]) == ([], {}, "0", "")
    assert {"maybe", "inner", "chosenNumber", "wrappedBool"}.isdisjoint(found)


def test_defaults_are_written_for_wide_types_too():
    cls = json_fuzz.schema().message_class("fuzz.old.Old")
    found = json.loads(codec("defaults").encode(cls(text="x")))
    assert found == {"text": "x", "choices": [], "named": {}, "[fuzz.old.words]": []} or found == {
        "text": "x",
        "choices": [],
        "named": {},
    }


def test_names_of_the_schema_are_written_and_both_are_read(everything):
    text = codec("proto-names").encode(everything(int32_value=5, other_name=1))
    assert json.loads(text) == {"int32_value": 5, "other_name": 1}
    assert codec("proto-names").decode(b'{"int32Value": 5}', everything).int32_value == 5


def test_enums_are_written_as_numbers(everything):
    found = json.loads(codec("enum-numbers").encode(everything(color=1, colors=[0, -1], by_bool={True: 1})))
    assert found == {"color": 1, "colors": [0, -1], "byBool": {"true": 1}}


def test_unknown_fields_are_refused_with_the_nearest_name(everything):
    assert codec().decode(b'{"int32Valu": 5}', everything) == everything()
    with pytest.raises(ConnectError) as caught:
        codec("strict").decode(b'{"inner": {"int32Valu": 5}}', everything)
    assert caught.value.message.endswith(
        "inner: fuzz.Everything has no field 'int32Valu'; did you mean int32Value?"
    )


def test_unknown_enums_are_skipped_only_where_that_is_wanted(everything):
    skipping = json_fuzz.schema().codecs_with(JsonOptions(skip_unknown_enums=True))["json"]
    text = b'{"color": "NO", "colors": ["COLOR_RED", "NO"], "byBool": {"true": "NO", "false": 1}}'
    assert skipping.decode(text, everything) == everything(colors=[1], by_bool={False: 1})
    with pytest.raises(ConnectError, match="color: expected a value of fuzz"):
        codec().decode(text, everything)
