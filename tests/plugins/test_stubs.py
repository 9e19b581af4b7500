"""Stubs as a type checker sees them: what is right passes, and what is wrong is found on its line."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.protoc import compile_set
from support.shop import make_schema

from dynconnect.live.build import read_schema
from dynconnect.plugins.handles import running
from dynconnect.plugins.stub_files import write_stubs
from dynconnect.plugins.stubs import stubs
from dynconnect.plugins.types import ROOT
from dynconnect.schema.content import files_of
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source

REPOSITORY = Path(__file__).resolve().parents[2]

PROTO = """
syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";

// What somebody bought: a "thing", with \\\\ and \\"\\"\\".
message Order {
  enum Kind { OLD = 0; NEW = 1; }
  message Item { string name = 1; Order order = 2; }
  string id = 1;  // trailing
  Kind kind = 2;
  repeated Item items = 3;
  map<string, Item> named = 4;
  map<string, int32> counts = 5;
  oneof payment { string card = 6; Item cash = 7; }
  oneof other { bool a = 8; bool b = 9; }
  optional bool gift = 10;
  google.protobuf.Timestamp created = 11;
  google.protobuf.Any any = 12;
  google.protobuf.Struct extra = 13;
  repeated string tags = 14;
  repeated Kind history = 15;
  bytes blob = 16;
  double price = 17;
  // Names that Python has already.
  string str = 18;
  string datetime = 19;
  string self = 20;
  string class = 21;
  string list = 22;
}
enum Color { RED = 0; BLUE = 1; }
message Message { Color int = 1; }
message Empty {}
service Orders {
  // Gets one.
  rpc GetOrder(Order) returns (Order);
  rpc Watch(Order) returns (stream Order);
  rpc Count(stream Order) returns (Empty);
  rpc Chat(stream Order) returns (stream Order);
}
service Nothing {}
"""

OLD = """
syntax = "proto2";
message Top {
  required string name = 1;
  optional group Part = 2 { optional int32 n = 1; }
  extensions 100 to 200;
}
"""


@pytest.fixture(scope="module")
def schema():
    data = compile_set({"shop/v1/shop.proto": PROTO, "old.proto": OLD})
    return Schema([Source("api.binpb", files_of(data))])


@pytest.fixture(scope="module")
def typings(schema, tmp_path_factory):
    folder = tmp_path_factory.mktemp("typings")
    write_stubs(stubs(schema), folder)
    return folder


def mypy(typings, *arguments, cwd):
    config = cwd / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\n[mypy-google.rpc.*]\nignore_missing_imports = true\n")
    env = {**os.environ, "MYPYPATH": f"{typings}{os.pathsep}{REPOSITORY}"}
    command = [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir", typings / "cache"]
    done = subprocess.run(
        [*command, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_every_stub_is_python(schema):
    for path, text in stubs(schema).items():
        ast.parse(text, path)


def test_a_type_checker_takes_the_stubs_themselves(typings, tmp_path):
    assert "Success" in mypy(typings, "-p", ROOT, cwd=tmp_path)


def test_comments_are_docstrings(schema):
    tree = ast.parse(stubs(schema)["dynconnect_types/shop/v1/__init__.pyi"])
    order = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Order")
    assert ast.get_docstring(order).startswith('What somebody bought: a "thing", with')
    orders = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Orders")
    assert ast.get_docstring(orders.body[0]) == "Gets one."


def test_what_stands_in_a_stub_is_there_when_it_runs(schema):
    with running(schema):
        import dynconnect_types.shop.v1 as live

        tree = ast.parse(stubs(schema)["dynconnect_types/shop/v1/__init__.pyi"])
        services = {service.rpartition(".")[2] for service in schema.services}
        names = {node.name for node in tree.body if isinstance(node, ast.ClassDef)} - services
        assert names == {"Order", "Color", "Message", "Empty"}
        for name in names:
            assert getattr(live, name) is not None
        order = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Order")
        members = {node.name for node in order.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
        members |= {node.target.id for node in order.body if isinstance(node, ast.AnnAssign)}
        made = live.Order()
        assert [name for name in members if not (hasattr(live.Order, name) or hasattr(made, name))] == []
        known = {field.name for field in schema.message_class("shop.v1.Order").DESCRIPTOR.fields}
        assert known - members == {"class"}, "what Python takes for a word is reached by getattr"


RIGHT = """\
from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from dynconnect import Context, service
from dynconnect_types.shop.v1 import BLUE, Color, Empty, Message, Order

if TYPE_CHECKING:
    from dynconnect_types.shop.v1 import Orders as Shape


@service("shop.v1.Orders")
class Orders:
    async def get_order(self, request: Order, ctx: Context) -> Order:
        made = Order(id="1", kind="NEW", items=[{"name": "a"}, Order.Item(name="b")], counts={"a": 1})
        made.kind = Order.Kind.NEW
        made.tags.append(made.items[0].name + made.str + made.datetime)
        made.named["x"].name = made.self
        if made.HasField("gift") and made.WhichOneof("payment") == "card":
            made.ClearField("card")
        made.created.FromDatetime(datetime.datetime.now())
        made.any.Pack(made)
        return Order(created=datetime.datetime.now(), gift=None, extra={"a": 1}, cash={"name": "c"})

    async def watch(self, request: Order, ctx: Context) -> AsyncIterator[dict[str, object]]:
        yield {"id": request.id, "kind": Color.Value("RED") + BLUE}

    async def count(self, requests: AsyncIterator[Order], ctx: Context) -> Empty:
        return Empty() if [request.id async for request in requests] else Empty()

    async def chat(self, requests: AsyncIterator[Order], ctx: Context) -> AsyncIterator[Order]:
        async for request in requests:
            yield Order(list=request.id, blob=b"", price=1)
            yield Order(items=request.items, history=["OLD", 1]) if Message(int="BLUE") else request


def check() -> type[Shape]:
    return Orders
"""

WRONG = [
    pytest.param("made.kind = Order.Kind.NEW", "made.kind = Order.Kind.NEWS", "NEWS", id="enum value"),
    pytest.param('kind="NEW"', 'kind="NEWS"', "kind", id="enum literal"),
    pytest.param('id="1"', "id=1", "id", id="type of an argument"),
    pytest.param('Order(id="1"', 'Order(idd="1"', "idd", id="name of an argument"),
    pytest.param("request.id async", "request.ids async", "ids", id="name of a field"),
    pytest.param('{"a": 1})\n', '{"a": "1"})\n', "str", id="value of a map"),
    pytest.param('HasField("gift")', 'HasField("id")', "HasField", id="field without presence"),
    pytest.param('WhichOneof("payment")', 'WhichOneof("paiment")', "WhichOneof", id="oneof"),
    pytest.param('ClearField("card")', 'ClearField("cart")', "ClearField", id="field to clear"),
    pytest.param("made.tags.append(made", "made.tags = (made", "read-only", id="repeated field that is set"),
    pytest.param('Color.Value("RED")', 'Color.Value("GREEN")', "Value", id="enum name"),
    pytest.param("async def count", "async def sum", "Orders", id="method missing"),
    pytest.param(
        "async def get_order(self, request: Order,",
        "async def get_order(self, request: Empty,",
        "Orders",
        id="another request",
    ),
    pytest.param("ctx: Context) -> Empty:", "ctx: Context) -> Order:", "", id="another response"),
    pytest.param("import BLUE, Color", "import GREEN, BLUE, Color", "GREEN", id="import"),
]


@pytest.fixture(scope="module")
def found(typings, tmp_path_factory):
    """What mypy says of each program, by name: all in one run, as starting it takes seconds."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "right.py").write_text(RIGHT)
    for number, case in enumerate(WRONG):
        old, new, *_ = case.values
        assert RIGHT.count(old) == 1, old
        (folder / f"wrong{number}.py").write_text(RIGHT.replace(old, new))
    names = sorted(path.name for path in folder.glob("*.py"))
    output = mypy(typings, *names, cwd=folder)
    lines = [re.match(r"(\w+)\.py:(\d+): error: (.*)", line) for line in output.splitlines()]
    by_file = {name.removesuffix(".py"): [] for name in names}
    for line in filter(None, lines):
        by_file[line[1]].append((int(line[2]), line[3]))
    return by_file


def test_a_plugin_that_is_right_passes(found):
    assert found["right"] == []


@pytest.mark.parametrize("number", range(len(WRONG)), ids=[case.id for case in WRONG])
def test_a_planted_error_is_found_on_its_line(found, number):
    old, new, word, *_ = WRONG[number].values
    text = RIGHT.replace(old, new)
    line = text[: text.index(new)].count("\n") + 1
    # What does not fit its service is found where it is said to.
    lines = {line, text[: text.index("return Orders")].count("\n") + 1}
    assert [one for one in found[f"wrong{number}"] if one[0] in lines and word in one[1]], found[
        f"wrong{number}"
    ]


def test_the_examples_pass(tmp_path):
    typings = tmp_path / "typings"
    write_stubs(stubs(read_schema([str(REPOSITORY / "examples/eliza/eliza.binpb")])), typings)
    program = tmp_path / "use.py"
    program.write_text(
        "from dynconnect_types.connectrpc.eliza.v1 import SayRequest, SayResponse\n"
        "answer: SayResponse = SayResponse(sentence=SayRequest(sentence='hi').sentence)\n"
    )
    assert "Success" in mypy(typings, program, cwd=tmp_path)


def test_packages_on_the_way_are_there_and_empty_ones_import_nothing():
    found = stubs(make_schema())
    assert {"dynconnect_types/__init__.pyi", "dynconnect_types/shop/__init__.pyi"} <= found.keys()
    assert found["dynconnect_types/shop/__init__.pyi"].count("\n") == 1
