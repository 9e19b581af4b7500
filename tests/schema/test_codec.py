from __future__ import annotations

import json

import pytest
from google.protobuf import any_pb2, empty_pb2
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.descriptors import a_chain, a_source

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.schema.json.wellknown import DEPTH_MAX
from dynconnect.schema.schema import Schema

BOTH = pytest.mark.parametrize("name", ["proto", "json"])


@pytest.fixture(scope="module")
def binary(shop):
    return shop.codecs["proto"]


@pytest.fixture(scope="module")
def text(shop):
    return shop.codecs["json"]


@pytest.fixture(scope="module")
def strict(shop):
    """A proto2 message with a required field and an extension."""
    return shop.message_class("shop.v1.Strict")


def refused(codec, data, cls):
    """What the peer is told about *data*; it must be its own fault."""
    with pytest.raises(ConnectError) as caught:
        codec.decode(data, cls)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message.startswith(f"cannot decode {cls.DESCRIPTOR.full_name}: ")
    return caught.value.message


def failed(codec, message):
    """What is said about a *message* that cannot be sent; it must be ours."""
    with pytest.raises(ConnectError) as caught:
        codec.encode(message)
    assert caught.value.code is Code.INTERNAL
    assert caught.value.message.startswith(f"cannot encode {message.DESCRIPTOR.full_name}: ")
    return caught.value.message


# Both


@BOTH
def test_a_message_comes_back_as_it_was(shop, order, name):
    message = order(
        id="ä\0𝄞",
        total=-(2**63),
        big=2**64 - 1,
        state="PAID",
        lines=[{"text": "x", "count": -1}, {}],
        named={"": {}, "k": {"text": "y"}},
        counts={"b": 1, "a": 2},
        created={"seconds": 5, "nanos": 1},
        took={"seconds": -5},
        extra={"a": [1, None, {"b": True}]},
        value={"null_value": 0},
        nickname={"value": ""},
        blob=b"\xff\xfe",
        price=float("-inf"),
        weight=0.1,
        parent={"parent": {}},
        cash={},
        gift=False,
        history=["NEW", "PAID"],
    )
    codec = shop.codecs[name]
    again = codec.decode(codec.encode(message), order)
    assert again == message
    assert again.HasField("gift")


@BOTH
def test_maps_are_written_in_one_order(shop, order, name):
    keys = [f"k{number}" for number in range(50)]
    one = order(counts=dict.fromkeys(keys, 1))
    other = order(counts=dict.fromkeys(reversed(keys), 1))
    assert shop.codecs[name].encode(one) == shop.codecs[name].encode(other)


@BOTH
def test_m5_a_message_without_a_required_field_cannot_be_encoded(shop, strict, name):
    assert "missing required fields: name" in failed(shop.codecs[name], strict())
    assert "inner.name" in failed(shop.codecs[name], strict(name="a", inner={}))


@pytest.mark.parametrize(("name", "data"), [("proto", b""), ("json", b"{}")])
def test_m6_a_message_without_a_required_field_is_refused(shop, strict, name, data):
    assert "missing required fields: name" in refused(shop.codecs[name], data, strict)


@BOTH
def test_m6_extensions_are_kept(shop, strict, name):
    codec = shop.codecs[name]
    note = shop.pool.FindExtensionByName("shop.v1.note")
    message = strict(name="a")
    message.Extensions[note] = "n"
    assert codec.decode(codec.encode(message), strict).Extensions[note] == "n"


@pytest.fixture(scope="module")
def chain():
    """A schema whose ``c.M299`` nests 299 messages deep."""
    return Schema([a_source("c.binpb", a_chain(300))])


def nested(chain, depth):
    top = message = chain.message_class("c.M299")()
    for _ in range(depth):
        message.p.SetInParent()
        message = message.p
    return top


@BOTH
def test_m6_messages_nest_up_to_the_limit_and_no_deeper(chain, name):
    codec, cls = chain.codecs[name], chain.message_class("c.M299")
    deepest = nested(chain, DEPTH_MAX)
    assert codec.decode(codec.encode(deepest), cls) == deepest
    too_deep = {"proto": b"", "json": b"{}"}[name]
    for _ in range(DEPTH_MAX + 1):
        too_deep = (
            b'{"p":' + too_deep + b"}" if name == "json" else b"\x0a" + varint(len(too_deep)) + too_deep
        )
    refused(codec, too_deep, cls)


def varint(number):
    data = b""
    while number > 127:
        data, number = data + bytes([number & 127 | 128]), number >> 7
    return data + bytes([number])


@pytest.mark.parametrize(
    "deep", [b'{"p":' * 100_000, b'{"x":' * 100_000, b"[" * 100_000], ids=["known", "unknown", "[["]
)
def test_m6_json_of_any_depth_is_refused_without_a_crash(chain, deep):
    assert "nested too deep" in refused(chain.codecs["json"], deep, chain.message_class("c.M299"))


# Binary


def test_m1_unknown_fields_are_tolerated_and_kept(binary, order):
    unknown = b"\x9a\x3f\x01x"
    assert binary.encode(binary.decode(b"\x0a\x01a" + unknown, order)) == b"\x0a\x01a" + unknown


def test_m1_nothing_is_a_valid_message(binary, order):
    assert binary.decode(b"", order) == order()
    assert binary.encode(order()) == b""


BROKEN = [
    pytest.param(b"\x0a", id="cut after a tag"),
    pytest.param(b"\x0a\x05a", id="cut in a string"),
    pytest.param(b"\xff" * 20, id="an endless number"),
    pytest.param(b"\x00\x00", id="field 0"),
    pytest.param(b"\x0f", id="wire type 7"),
    pytest.param(b"\x0c", id="an end without its group"),
    pytest.param(b"\x0b", id="a group without its end"),
]


@pytest.mark.parametrize("data", BROKEN)
def test_m1_what_does_not_parse_is_refused(binary, order, data):
    refused(binary, data, order)


@given(data=st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_m1_any_bytes_are_a_message_or_refused(binary, order, data):
    try:
        message = binary.decode(data, order)
    except ConnectError as exc:
        outcome = exc.code
    else:
        encoded = binary.encode(message)
        outcome = binary.encode(binary.decode(encoded, order)) == encoded
    assert outcome in (True, Code.INVALID_ARGUMENT)


def test_m7_text_that_is_no_utf_8_is_refused(binary, order):
    refused(binary, b"\x0a\x02\xc3\x28", order)


# JSON


def test_m2_names_are_lower_camel_defaults_are_left_out_and_enums_are_names(text, shop):
    response = shop.find_message_class("grpc.health.v1.HealthCheckResponse")
    assert text.encode(response(status=1)) == b'{"status":"SERVING"}'
    assert text.encode(response()) == b"{}"
    reflection = shop.find_message_class("grpc.reflection.v1.ServerReflectionRequest")
    assert text.encode(reflection(list_services="ä")) == '{"listServices":"ä"}'.encode()


ACCEPTED = [
    pytest.param('{"total": "5"}', {"total": "5"}, id="a number in a string"),
    pytest.param('{"total": 5}', {"total": "5"}, id="a number"),
    pytest.param('{"total": 5.0}', {"total": "5"}, id="a whole number with a fraction"),
    pytest.param('{"state": "PAID"}', {"state": "PAID"}, id="an enum by name"),
    pytest.param('{"state": 1}', {"state": "PAID"}, id="an enum by number"),
    pytest.param('{"state": 7}', {"state": 7}, id="an open enum's unknown number"),
    pytest.param('{"blob": "_-4="}', {"blob": "/+4="}, id="base64url"),
    pytest.param('{"blob": "/+4"}', {"blob": "/+4="}, id="base64 without padding"),
    pytest.param('{"price": "NaN"}', {"price": "NaN"}, id="NaN in a string"),
    pytest.param('{"id": null, "lines": null, "state": null}', {}, id="null is unset"),
    pytest.param('{"value": null}', {"value": None}, id="null is a value"),
    pytest.param(' {"id":\t"a"}\n', {"id": "a"}, id="blanks"),
    pytest.param('{"id": "\\ud834\\udd1e"}', {"id": "𝄞"}, id="a surrogate pair"),
]


@pytest.mark.parametrize(("data", "expected"), ACCEPTED)
def test_m2_every_spelling_of_a_value_is_accepted(text, order, data, expected):
    assert MessageToDict(text.decode(data.encode(), order)) == expected


@pytest.mark.parametrize("member", ["listServices", "list_services"])
def test_m2_both_names_of_a_field_are_accepted(text, shop, member):
    cls = shop.find_message_class("grpc.reflection.v1.ServerReflectionRequest")
    assert text.decode(json.dumps({member: "x"}).encode(), cls).list_services == "x"


UNKNOWN_MEMBERS = [
    '{"nope": 1, "id": "a"}',
    '{"id": "a", "nope": {"deep": [null, {"state": "GONE"}]}}',
    '{"id": "a", "lines": [{"nope": "GONE"}]}',
    '{"id": "a", "[some.where.ext]": 1}',
    '{"id": "a", "[shop.v1.note]": "x"}',
    '{"id": "a", "[": 1, "[]": 1, "[é]": 1}',
]


@pytest.mark.parametrize("data", UNKNOWN_MEMBERS)
def test_m2_unknown_members_are_ignored(text, order, data):
    assert text.decode(data.encode(), order).id == "a"


UNKNOWN_VALUES = [
    '{"state": "GONE"}',
    '{"nope": 1, "state": "GONE"}',
    '{"history": ["PAID", "GONE"]}',
    '{"parent": {"state": "GONE"}}',
]


@pytest.mark.parametrize("data", UNKNOWN_VALUES)
def test_m2_an_unknown_enum_value_is_refused(text, order, data):
    assert "GONE" in refused(text, data.encode(), order)


def test_m3_nothing_is_no_json(text, order):
    assert "zero-length" in refused(text, b"", order)


def test_m3_an_empty_object_is_a_message(text, order):
    assert text.decode(b"{}", order) == order()


REFUSED = [
    pytest.param(b" ", "no JSON: ", id="a blank"),
    pytest.param(b"{", "no JSON: ", id="half an object"),
    pytest.param(b"{} {}", "no JSON: ", id="two objects"),
    pytest.param(b"[]", "expected an object", id="a list"),
    pytest.param(b"null", "", id="null"),
    pytest.param(b"5", "", id="a number"),
    pytest.param(b'"a"', "", id="a string"),
    pytest.param(b"\xef\xbb\xbf{}", "BOM", id="a byte order mark"),
    pytest.param(b'{"id": 5}', "id", id="a number for a string"),
    pytest.param(b'{"id": "a", "id": "b"}', "same member twice", id="a member twice"),
    pytest.param(b'{"id": "a", "nope": {"b": 1, "b": 1}}', "same member twice", id="an unknown member twice"),
    pytest.param(b'{"total": "x"}', "total: expected an integer", id="text for a number"),
    pytest.param(b'{"total": 9223372036854775808}', "total: ", id="too large a number"),
    pytest.param(b'{"total": 1e400}', "no JSON: ", id="a number beyond floats"),
    pytest.param(b'{"total": ' + b"9" * 5000 + b"}", "", id="thousands of digits"),
    pytest.param(b'{"total": true}', "total: ", id="true for a number"),
    pytest.param(b'{"price": NaN}', "no JSON: ", id="NaN"),
    pytest.param(b'{"value": Infinity}', "no JSON: ", id="Infinity in a value"),
    pytest.param(b'{"nope": -Infinity}', "no JSON: ", id="Infinity in an unknown member"),
    pytest.param(b'{"weight": 1e39}', "weight: ", id="too large a float"),
    pytest.param(b'{"lines": {}}', "lines: ", id="an object for a list"),
    pytest.param(b'{"lines": [null]}', "lines[0]: null", id="null in a list"),
    pytest.param(b'{"lines": [5]}', "lines[0]: expected an object, got 5", id="a number for a message"),
    pytest.param(b'{"named": []}', "named: ", id="a list for a map"),
    pytest.param(b'{"parent": {"parent": {"total": "x"}}}', "parent.parent.total: ", id="deep inside"),
    pytest.param(b'{"created": "yesterday"}', "created: ", id="no timestamp"),
    pytest.param(b'{"created": {"seconds": 5}}', "", id="an object for a timestamp"),
    pytest.param(b'{"took": 5}', "", id="a number for a duration"),
    pytest.param(b'{"extra": []}', "extra: ", id="a list for a struct"),
    pytest.param(b'{"blob": "a"}', "blob: ", id="no base64"),
    pytest.param(b'{"parent": "a"}', "parent: expected an object", id="a string for a message"),
    pytest.param(b'{"parent": []}', "parent: expected an object", id="a list for a message"),
    pytest.param(b'{"lines": ["x"]}', 'lines[0]: expected an object, got "x"', id="a string in a list"),
    pytest.param(b'{"card": "1", "cash": {}}', "payment", id="two of a oneof"),
]


@pytest.mark.parametrize(("data", "why"), REFUSED)
def test_m2_what_is_no_such_message_is_refused_with_its_field(text, order, data, why):
    assert why in refused(text, data, order)


NO_UTF_8 = [
    pytest.param(b'{"id": "\xc3\x28"}', id="in a value"),
    pytest.param(b'{"\xff": 1}', id="in a name"),
    pytest.param(b'{"[\\ud800]": 1}', id="half a pair in a name"),
    pytest.param(b'{"id": "\\ud800"}', id="half a pair, escaped"),
    pytest.param(b'{"counts": {"\\ud800": 1}}', id="in the key of a map"),
    pytest.param(b'{"extra": {"\\ud800": 1}}', id="in the key of a struct"),
    pytest.param(b'{"extra": {"a": "\\ud800"}}', id="in a struct"),
    pytest.param(b'{"value": "\\ud800"}', id="in a value of any kind"),
    pytest.param(b'{"nickname": "\\ud800"}', id="in a wrapper"),
    pytest.param(b'{"any": {"@type": "a/\\ud800"}}', id="in a type"),
]


@pytest.mark.parametrize("data", NO_UTF_8)
def test_m7_text_that_is_no_unicode_is_refused(text, order, data):
    refused(text, data, order)


def test_a_refusal_does_not_quote_the_whole_message(text, order):
    assert len(refused(text, b'{"lines": "' + b"x" * 100_000 + b'"}', order)) < 400


def test_a_refusal_names_no_endless_path(chain):
    data = b'{"p":' * 50 + b"5" + b"}" * 50
    assert ".p…: " in refused(chain.codecs["json"], data, chain.message_class("c.M299"))


# Any in JSON

PACKED = [
    pytest.param("shop.v1.Order", {"id": "a"}, id="of the schema"),
    pytest.param("google.rpc.ErrorInfo", {"reason": "R"}, id="of the system"),
    pytest.param("google.protobuf.Timestamp", {"value": "1970-01-01T00:00:05Z"}, id="well-known"),
    pytest.param("google.protobuf.Int32Value", {"value": 5}, id="a wrapper"),
    pytest.param("google.protobuf.Struct", {"value": {"a": [None]}}, id="a struct"),
    pytest.param(
        "google.protobuf.Any",
        {"value": {"@type": "type.googleapis.com/shop.v1.Order", "id": "a"}},
        id="an Any",
    ),
]


@pytest.mark.parametrize(("name", "members"), PACKED)
def test_m4_any_is_read_and_written_by_the_types_of_the_schema_and_the_system(text, order, name, members):
    value = {"any": {"@type": f"type.googleapis.com/{name}", **members}}
    message = text.decode(json.dumps(value).encode(), order)
    assert message.any.type_url == f"type.googleapis.com/{name}"
    assert json.loads(text.encode(message)) == value


@pytest.mark.parametrize("prefix", ["", "/", "my.host/", "a/b/c/"])
def test_m4_any_prefix_is_accepted(text, order, prefix):
    data = json.dumps({"any": {"@type": f"{prefix}shop.v1.Order", "id": "a"}}).encode()
    inner = order()
    inner.ParseFromString(text.decode(data, order).any.value)
    assert inner.id == "a"


def test_m4_any_packs_messages_of_any_pool_and_unpacks_its_own(order, text):
    message = order()
    message.any.Pack(order(id="a"))
    assert message.any.type_url == "type.googleapis.com/shop.v1.Order"
    again = order()
    assert text.decode(text.encode(message), order).any.Unpack(again)
    assert again.id == "a"
    message.any.Pack(error_details_pb2.ErrorInfo(reason="R"))
    assert b'"reason":"R"' in text.encode(message)


BAD_ANYS = [
    pytest.param({"@type": "t/some.where.Else"}, id="an unknown type"),
    pytest.param({"@type": "t/"}, id="no name"),
    pytest.param({"@type": ""}, id="nothing"),
    pytest.param({"@type": 5}, id="a number"),
    pytest.param({"@type": None}, id="null"),
    pytest.param({"id": "a"}, id="no type"),
    pytest.param({"@type": "t/google.protobuf.Timestamp"}, id="a well-known type without its value"),
    pytest.param({"@type": "t/shop.v1.Order", "total": "x"}, id="a wrong field inside"),
    pytest.param({"@type": "t/shop.v1.Strict"}, id="a missing field inside"),
    pytest.param([], id="a list"),
    pytest.param("t/shop.v1.Order", id="a string"),
]


@pytest.mark.parametrize("value", BAD_ANYS)
def test_m4_an_any_that_does_not_resolve_is_refused(text, order, value):
    refused(text, json.dumps({"any": value}).encode(), order)


@pytest.mark.parametrize("value", BAD_ANYS)
def test_m4_an_any_alone_that_does_not_resolve_is_refused(text, shop, value):
    refused(text, json.dumps(value).encode(), shop.message_class("google.protobuf.Any"))


@pytest.mark.parametrize("type_url", ["t/some.where.Else", "nothing", "t/google.protobuf.Timestamp"])
def test_m4_an_any_that_cannot_be_written_is_our_fault(text, order, type_url):
    failed(text, order(any={"type_url": type_url, "value": b"\xff"}))


def test_m5_a_value_that_json_has_not_is_our_fault(text, order):
    failed(text, order(value={"number_value": float("nan")}))
    failed(text, order(created={"seconds": 2**60}))


def test_m5_a_message_too_deep_to_write_is_our_fault(text, shop):
    message = shop.message_class("google.protobuf.Value")()
    inner = message
    for _ in range(3000):
        inner = inner.list_value.values.add()
    assert "nested too deep" in failed(text, message)


def test_k21_two_generations_write_their_own_names(shop_source):
    names = []
    for member in ("a", "renamed"):
        file = a_chain(1)
        file.message_type[0].field.add(name="x", json_name=member, number=1, type="TYPE_STRING", label=1)
        schema = Schema([a_source("c.binpb", file)])
        names.append(schema.codecs["json"].encode(schema.message_class("c.M0")(x="v")))
    assert names == [b'{"a":"v"}', b'{"renamed":"v"}']


def test_imported_messages_are_written_too(text):
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason="R"))
    assert json.loads(text.encode(packed)) == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "R",
    }
    assert text.encode(empty_pb2.Empty()) == b"{}"


MEMBERS = st.sampled_from(
    ["id", "total", "state", "lines", "named", "counts", "created", "took", "extra", "any", "value", "@type"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
SCALARS |= st.sampled_from(["PAID", "t/shop.v1.Order", "t/google.protobuf.Any", "1970-01-01T00:00:00Z", "1s"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=12,
)


@given(value=VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_m2_any_json_is_a_message_or_refused(text, order, value):
    try:
        message = text.decode(json.dumps(value).encode(), order)
    except ConnectError as exc:
        outcome = exc.code
    else:
        outcome = text.encode(message).startswith(b"{")
    assert outcome in (True, Code.INVALID_ARGUMENT)
