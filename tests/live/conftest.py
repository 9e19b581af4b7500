from __future__ import annotations

import textwrap

import pytest
from support.shop import make_set

PLUGIN = """\
from dynconnect import service
from dynconnect_types.shop.v1 import Order

@service("shop.v1.Orders")
class Orders:
    async def get_order(self, request, ctx):
        return Order(id=request.id + "!")
"""


class Project:
    """A folder with `shop.binpb` and `plugins/orders.py`, seen from inside."""

    def __init__(self, root):
        self.root = root
        (root / "plugins").mkdir()
        self.schema(make_set())
        self.plugin(PLUGIN)

    def schema(self, data, name="shop.binpb"):
        (self.root / name).write_bytes(data)

    def plugin(self, text, name="orders"):
        (self.root / "plugins" / f"{name}.py").write_text(textwrap.dedent(text))


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)
