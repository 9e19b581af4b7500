from __future__ import annotations

import pytest
from google.protobuf import timestamp_pb2
from support.descriptors import a_file, a_source

from dynconnect.rpc.context import MethodInfo
from dynconnect.schema.schema import Schema


@pytest.fixture(scope="module")
def get(shop):
    return shop.methods["/shop.v1.Orders/Get"]


def test_a_method_has_its_names(get):
    names = (get.name, get.service_name, get.full_name, get.path)
    assert names == ("Get", "shop.v1.Orders", "shop.v1.Orders.Get", "/shop.v1.Orders/Get")
    assert repr(get) == "Method(shop.v1.Orders.Get)"


def test_a_method_is_what_the_words_of_an_rpc_need(get):
    info: MethodInfo = get
    needed = {name for name in vars(MethodInfo) if not name.startswith("_")}
    assert needed <= set(dir(info))


SHAPES = [("Get", False, False), ("Watch", False, True), ("Upload", True, False), ("Chat", True, True)]


@pytest.mark.parametrize(("name", "client", "server"), SHAPES)
def test_a_method_knows_its_shape(shop, name, client, server):
    method = shop.methods[f"/shop.v1.Orders/{name}"]
    assert (method.client_streaming, method.server_streaming) == (client, server)
    assert method.streaming == (client or server)


@pytest.mark.parametrize(("name", "expected"), [("Get", True), ("Delete", False), ("Watch", False)])
def test_r7_only_methods_marked_so_have_no_side_effects(shop, name, expected):
    assert shop.methods[f"/shop.v1.Orders/{name}"].no_side_effects is expected


def test_messages_are_the_schemas_own_classes(shop, get):
    assert get.input is get.output is shop.message_class("shop.v1.Order")


def test_classes_of_messages_are_made_at_first_use(shop_source):
    schema = Schema([shop_source])
    method = schema.methods["/shop.v1.Orders/Get"]
    assert "shop.v1.Order" not in schema._classes
    assert method.input is schema._classes["shop.v1.Order"]


def test_custom_options_are_readable(shop, get):
    rule = get.options.Extensions[shop.pool.FindExtensionByName("shop.v1.rule")]
    assert rule.role == "admin"
    http = get.options.Extensions[shop.pool.FindExtensionByName("google.api.http")]
    assert http.get == "/v1/orders/{id}"
    assert get.options.idempotency_level == 1


def test_options_are_of_the_private_pool_even_where_it_was_completed(shop, get):
    assert type(get.options) is shop.message_class("google.protobuf.MethodOptions")
    file = a_file("a.proto")
    file.service.add(name="S").method.add(name="Do", input_type=".t.M", output_type=".t.M")
    schema = Schema([a_source("a.binpb", file)])
    method = schema.methods["/t.S/Do"]
    assert type(method.options) is schema.message_class("google.protobuf.MethodOptions")
    assert not method.options.ListFields()


def test_a_service_without_a_package_has_a_path():
    file = a_file("a.proto", "")
    file.service.add(name="S").method.add(name="Do", input_type=".M", output_type=".M")
    assert list(Schema([a_source("a.binpb", file)]).methods) == ["/S/Do"]


# Answers


def test_an_output_is_answered_as_it_is(get):
    message = get.output(id="a")
    assert get.as_output(message) is message


def test_a_mapping_is_answered_as_a_message(get):
    answer = get.as_output({"id": "a", "parent": {"id": "b"}, "card": None})
    assert answer == get.output(id="a", parent={"id": "b"})


def test_a_message_of_another_generation_is_answered_by_its_bytes(get, shop_source):
    old = Schema([shop_source]).methods["/shop.v1.Orders/Get"].output
    answer = get.as_output(old(id="a"))
    assert type(answer) is get.output
    assert answer.id == "a"


REFUSED = [
    pytest.param(None, "None: is a return missing?", id="None"),
    pytest.param("text", "not str", id="a string"),
    pytest.param(timestamp_pb2.Timestamp(), "not google.protobuf.Timestamp", id="another message"),
    pytest.param([], "not list", id="a list"),
]


@pytest.mark.parametrize(("value", "came"), REFUSED)
def test_any_other_answer_says_what_was_expected_and_what_came(get, value, came):
    with pytest.raises(TypeError) as caught:
        get.as_output(value)
    text = str(caught.value)
    assert text.startswith("shop.v1.Orders.Get must answer a shop.v1.Order or a dict of its fields")
    assert text.endswith(came)


def test_fields_that_do_not_fit_say_which_method_and_field(get):
    with pytest.raises(TypeError, match=r"shop\.v1\.Orders\.Get .* total: 'str' object"):
        get.as_output({"total": "x"})
