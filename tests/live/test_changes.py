from __future__ import annotations

import pytest
from support.shop import PROTO, make_set

from dynconnect.live.build import build
from dynconnect.live.changes import describe

PLUGIN = """\
from dynconnect import service
from dynconnect_types.shop.v1 import Order
import helper

@service("shop.v1.Orders")
class Orders:
    async def get_order(self, request, ctx):
        return Order(id=helper.TEXT)
    def list_orders(self, request, ctx):
        yield Order(id="1")
"""


@pytest.fixture
def generation(project):
    """Builds the generation of a plugin, a helper and a schema."""

    def make(plugin=PLUGIN, helper="TEXT = 'a'", proto=PROTO):
        project.plugin(plugin)
        project.plugin(helper, "helper")
        project.schema(make_set(proto))
        return build(["shop.binpb"], ["plugins"])

    return make


EDITS = [
    pytest.param({"plugin": PLUGIN.replace("helper.TEXT", "'b'")}, ["GetOrder changed"], id="a handler"),
    pytest.param(
        {"plugin": PLUGIN.replace('id="1"', 'id="2"')}, ["ListOrders changed"], id="one that blocks"
    ),
    pytest.param({"plugin": "# more\n" + PLUGIN}, [], id="a comment"),
    pytest.param({"helper": "TEXT = 'b'"}, [], id="a helper"),
    pytest.param(
        {"plugin": PLUGIN.replace("def list_orders", "def _list_orders")},
        ["ListOrders has no handler any more"],
        id="a handler gone",
    ),
    pytest.param(
        {"plugin": PLUGIN + "    async def upload(self, requests, ctx):\n        return Order()\n"},
        ["Upload has a handler"],
        id="a handler more",
    ),
    pytest.param(
        {"proto": PROTO.replace("rpc GetOrder", "rpc More(Order) returns (Order); rpc GetOrder")},
        ["More has no handler", "+ More (Order → Order)"],
        id="a method without a handler",
    ),
    pytest.param(
        {
            "proto": PROTO.replace("string id = 1;", "string id = 1; int32 n = 9;"),
            "plugin": PLUGIN.replace("helper.TEXT", "'b'"),
        },
        ["GetOrder changed", "+ Order.n (9, int32)"],
        id="both",
    ),
    pytest.param(
        {"proto": PROTO.replace("rpc Count", "rpc GetOrder(Order) returns (Order); rpc Count")},
        ["shop.v1.Stock.GetOrder has no handler", "+ GetOrder (Order → Order)"],
        id="a name that two services have",
    ),
]


@pytest.mark.parametrize(("edit", "expected"), EDITS)
def test_an_edit_is_described_by_what_it_changes(generation, edit, expected):
    old = generation()
    new = generation(**edit)
    try:
        assert list(describe(old, new)) == expected
    finally:
        old.close()
        new.close()
