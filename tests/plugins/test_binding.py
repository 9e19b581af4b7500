from __future__ import annotations

import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from support.bad_plugins import cases
from support.shop import ORDERS, answers, make_schema, method, shop

from dynconnect.plugins.binding import Bindings, python_name
from dynconnect.plugins.locate import PluginError
from dynconnect.rpc.handler import stream_of

HEAD = "from dynconnect import interceptor, rpc, service\n"


def bind(schema, plugins, provided=None):
    provided = provided or {}
    bindings = Bindings(schema, plugins, provided)
    if findings := (*plugins.findings, *bindings.findings):
        raise PluginError(findings)
    return bindings.handlers(
        bindings.instances(lambda _, names: {name: provided[name] for name in names if name in provided})
    )


@pytest.fixture
def bound(load, folder):
    """Bind the text of one plugin, which begins at its line 2."""

    def bound(text, schema=None, provided=None, **more):
        for name, each in {"a": text, **more}.items():
            (folder / f"{name}.py").write_text(HEAD + textwrap.dedent(text if name == "a" else each))
        schema = schema or shop()
        return bind(schema, load(schema=schema), provided)

    return bound


def stream(bound, name):
    return stream_of(method(name), bound[f"/{ORDERS}/{name}"].handler)


ALL_SHAPES = """\
@service("shop.v1.Orders")
class Orders:
    {get}
        return {{"id": request.id + "!"}}
    {list}
        yield request
        yield {{"id": "end"}}
    {upload}
        {ids}
        return {{"id": "+".join(ids)}}
    {chat}
        {each}
            yield {{"id": request.id.upper()}}
"""
ASYNC = {
    "get": "async def get_order(self, request, ctx):",
    "list": "async def list_orders(self, request, ctx):",
    "upload": "async def upload(self, requests, ctx):",
    "chat": "async def chat(self, requests, ctx):",
    "ids": "ids = [request.id async for request in requests]",
    "each": "async for request in requests:",
}
PLAIN = {name: text.replace("async ", "") for name, text in ASYNC.items()}
OWN_NAMES = {
    name: text.replace("get_order", "GetOrder")
    .replace("list_orders", "ListOrders")
    .replace("upload(", "Upload(")
    .replace("chat(", "Chat(")
    for name, text in ASYNC.items()
}


@pytest.mark.parametrize("style", [ASYNC, PLAIN, OWN_NAMES], ids=["async", "plain", "the RPC's own names"])
async def test_a_class_answers_in_all_four_shapes(bound, style):
    found = bound(ALL_SHAPES.format(**style))
    assert await answers(stream(found, "GetOrder"), "GetOrder", "a") == ["a!"]
    assert await answers(stream(found, "ListOrders"), "ListOrders", "a") == ["a", "end"]
    assert await answers(stream(found, "Upload"), "Upload", "a", "b") == ["a+b"]
    assert await answers(stream(found, "Chat"), "Chat", "a", "b") == ["A", "B"]


async def test_functions_answer_too(bound):
    found = bound('@rpc("shop.v1.Orders/GetOrder")\nasync def any_name(request, ctx):\n    return request')
    assert await answers(stream(found, "GetOrder"), "GetOrder", "a") == ["a"]
    assert list(found) == ["/shop.v1.Orders/GetOrder"]


def test_where_a_handler_is_bound_is_told(bound):
    found = bound("""\
        @service("shop.v1.Orders")
        class Orders:
            async def get_order(self, request, ctx): pass
        @rpc("shop.v1.Orders/Upload")
        async def up(requests, ctx): pass
        """)
    told = {path.rpartition("/")[2]: (bound.where, bound.name) for path, bound in found.items()}
    assert told == {"GetOrder": ("plugins/a.py:4", "Orders.get_order"), "Upload": ("plugins/a.py:5", "up")}


HELPERS = """\
import functools
from dynconnect_types.shop.v1 import Order
async def answer(n, request, ctx): return request
async def method(self, n, request, ctx): return request
class Answer:
    async def __call__(self, request, ctx): return request
def polite(f):
    @functools.wraps(f)
    def wrapper(*args): return f(*args)
    return wrapper
def rude(f):
    def wrapper(self, request, ctx): return f(self, request, ctx)
    return wrapper
@service("shop.v1.Orders")
class Orders:
"""
GET = "async def get_order(self, request, ctx): return request"
GOOD = {
    "a static method": ["@staticmethod", "async def get_order(request, ctx): return request"],
    "a class method": ["@classmethod", "async def get_order(cls, request, ctx): return request"],
    "an alias": ["async def _get(self, request, ctx): return request", "get_order = _get"],
    "both names for one function": [GET, "GetOrder = get_order"],
    "a partial method": ["get_order = functools.partialmethod(method, 1)"],
    "a partial": ["get_order = staticmethod(functools.partial(answer, 1))"],  # bare, Python 3.13 warns of it
    "an object that is called": ["get_order = Answer()"],
    "a decorator with wraps": ["@polite", GET],
    "a decorator without wraps": ["@rude", GET],
    "a lambda": ["get_order = lambda self, request, ctx: request"],
    "a default": ["async def get_order(self, request, ctx, extra=1): return request"],
    "any arguments": ["async def get_order(self, *args): return args[0]"],
    "a private helper": ["def _help(self): pass", GET],
    "values and classes": ["LIMIT = 3", "Error = ValueError", "class Config: pass", "Kind = Order", GET],
    "a property": ["@property", "def size(self): return 1", GET],
    "a constructor with defaults": ["def __init__(self, size=3, *args, **kw): self.size = size", GET],
    "magic methods": ["def __call__(self): pass", GET],
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
async def test_what_python_lets_one_write_is_bound(bound, body):
    found = bound(HELPERS + textwrap.indent("\n".join(body), "    "))
    assert list(found) == ["/shop.v1.Orders/GetOrder"]
    assert await answers(stream(found, "GetOrder"), "GetOrder", "a") == ["a"]


async def test_inherited_methods_are_handlers_and_an_heir_may_replace_them(bound):
    found = bound("""\
        class Base:
            async def get_order(self, request, ctx): return {"id": "base"}
            async def upload(self, requests, ctx): return {"id": "base"}
        @service("shop.v1.Orders")
        class Orders(Base):
            async def upload(self, requests, ctx): return {"id": "heir"}
        """)
    assert await answers(stream(found, "GetOrder"), "GetOrder", "a") == ["base"]
    assert await answers(stream(found, "Upload"), "Upload") == ["heir"]
    assert found["/shop.v1.Orders/GetOrder"].name == "Orders.get_order"


async def test_one_instance_serves_all_methods_of_a_class(bound):
    found = bound("""\
        @service("shop.v1.Orders")
        class Orders:
            def __init__(self): self.count = 0
            async def get_order(self, request, ctx):
                self.count += 1
                return {"id": str(self.count)}
            async def upload(self, requests, ctx):
                self.count += 1
                return {"id": str(self.count)}
        """)
    assert await answers(stream(found, "GetOrder"), "GetOrder", "a") == ["1"]
    assert await answers(stream(found, "Upload"), "Upload") == ["2"]


def test_two_classes_may_share_a_service_and_one_module_may_have_several(bound):
    found = bound("""\
        @service("shop.v1.Orders")
        class Get:
            async def get_order(self, request, ctx): pass
        @service("shop.v1.Orders")
        class Rest:
            async def chat(self, requests, ctx): yield
        @service("shop.v1.Stock")
        class Stock:
            async def count(self, request, ctx): pass
            async def import_(self, request, ctx): pass
        """)
    assert [path.rpartition("/")[2] for path in found] == ["GetOrder", "Chat", "Count", "Import"]


NAMES = [
    ("ListOrders", "list_orders"),
    ("Say", "say"),
    ("say", "say"),
    ("GetV2", "get_v2"),
    ("GetURL", "get_u_r_l"),
    ("Import", "import_"),
    ("Str", "str_"),
    ("Get_Order", "get__order"),
]


@pytest.mark.parametrize(("rpc", "python"), NAMES)
def test_the_python_spelling_is_that_of_connectrpc(rpc, python):
    assert python_name(rpc) == python


@pytest.mark.parametrize("case", cases(Path(__file__).with_name("bad") / "handlers.txt"))
def test_what_does_not_fit_is_found_with_its_place_and_what_is_near(load, folder, case):
    case.write(folder, HEAD)
    with pytest.raises(PluginError) as caught:
        bind(shop(), load())
    (finding,) = caught.value.findings
    case.check(finding)


def test_a_method_doubly_bound_in_two_files_names_both(bound):
    text = '@rpc("shop.v1.Orders/GetOrder")\nasync def {}(request, ctx): pass'
    with pytest.raises(PluginError) as caught:
        bound(text.format("f"), b=text.format("g"))
    (finding,) = caught.value.findings
    assert finding.where == "plugins/b.py:2"
    assert finding.what.endswith("GetOrder is bound twice: here by g and at plugins/a.py:2 by f")


def test_everything_that_is_wrong_is_said_at_once(bound):
    text = """\
        @service("shop.v1.Orders")
        class Orders:
            async def get_oder(self, request, ctx): pass
            async def chat(self): pass
            def __init__(self, db): 1 / 0
        """
    with pytest.raises(PluginError) as caught:
        bound(text, b="1 / 0", c='@rpc("a.B/C")\ndef f(): pass')
    assert [finding.where for finding in caught.value.findings] == [
        "plugins/b.py:2",
        "plugins/a.py:4",
        "plugins/a.py:5",
        "plugins/a.py:5",
        "plugins/c.py:2",
        "plugins/a.py:6",
    ]


S = '@service("shop.v1.Orders")\nclass Orders:\n'


def test_nothing_is_instantiated_while_something_is_wrong(bound, folder):
    touch = f"    def __init__(self): open({str(folder / 'made')!r}, 'w')\n"
    with pytest.raises(PluginError, match="get_oder"):
        bound(S + touch + "    async def get_oder(self, request, ctx): pass")
    assert not (folder / "made").exists()


async def test_a_constructor_gets_what_is_provided_by_name(bound):
    text = S + (
        "    def __init__(self, db, *, size=1): self.db, self.size = db, size\n"
        "    async def get_order(self, request, ctx): return {'id': f'{self.db} {self.size}'}"
    )
    found = bound(text, provided={"db": "pool", "unasked": 1})
    assert await answers(stream(found, "GetOrder"), "GetOrder", "a") == ["pool 1"]
    with pytest.raises(PluginError, match=r"needs 'db', and nothing provides it; did you mean db1\?"):
        bound(text, provided={"db1": 1})


async def test_a_constructor_that_tells_nothing_of_its_parameters_is_called_without(bound):
    found = bound(f"import threading\n{S.replace('Orders:', 'Orders(threading.local):')}    {GET}")
    assert await answers(stream(found, "GetOrder"), "GetOrder", "a") == ["a"]


def test_one_python_name_of_several_rpcs_is_refused(bound):
    rpcs = "".join(f"rpc {name}(M) returns (M);" for name in ("Say", "say", "GetA", "Get_a", "getA"))
    schema = make_schema(f'syntax = "proto3"; package t; message M {{}} service S {{ {rpcs} }}', "t.proto")
    head = '@service("t.S")\nclass A:\n'
    with pytest.raises(PluginError) as caught:
        bound(head + "    async def get_a(self, request, ctx): pass", schema)
    assert str(caught.value) == "plugins/a.py:4: A.get_a may be GetA or Get_a or getA; use the RPC's own name"
    both = [f"    async def {name}(self, request, ctx): pass" for name in ("say", "Say")]
    assert set(bound(head + "\n".join(both), schema)) == {"/t.S/Say", "/t.S/say"}


def test_an_installed_plugin_may_be_for_another_schema(load, folder, tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    lines = [
        '@service("acme.Other")',
        "class A: pass",
        '@rpc("shop.v1.Orders/Chat")',
        "async def c(r, ctx): yield",
    ]
    (tmp_path / "site" / "acme.py").write_text(HEAD + "\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (folder / "a.py").write_text(HEAD + '@rpc("shop.v1.Orders/GetOrder")\nasync def f(request, ctx): pass')
    plugins = load("plugins", entry_points=[EntryPoint("acme", "acme", "dynconnect.plugins")])
    assert [path.rpartition("/")[2] for path in bind(shop(), plugins)] == ["GetOrder", "Chat"]


def test_an_empty_schema_has_no_service_to_suggest(bound):
    schema = make_schema('syntax = "proto3"; message M {}', "m.proto")
    with pytest.raises(PluginError, match=r"there is no service a\.B in the schema; there is none"):
        bound('@service("a.B")\nclass A: pass', schema)


def test_a_long_list_of_services_is_cut(bound):
    services = "".join(f"service S{at} {{}}" for at in range(9))
    schema = make_schema(f'syntax = "proto3"; package t; {services}', "m.proto")
    with pytest.raises(PluginError, match=r"there is t.S0, t.S1, t.S2, t.S3, t.S4 and 4 more$"):
        bound('@service("elsewhere.Q")\nclass A: pass', schema)
