from __future__ import annotations

import asyncio
import sys
import threading

import pytest
from support.shop import ORDERS, PROTO, answers, make_set, shop

from dynconnect.live import build as build_module
from dynconnect.live.build import build, build_in_thread, draft, prepare, read_schema
from dynconnect.plugins.discovery import discover
from dynconnect.schema.finding import FindingsError

TAG = """\
from dynconnect import interceptor

@interceptor
def {name}(stream):
    async def wrapped(requests, ctx):
        async for response in stream(requests, ctx):
            response.id += " {name}"
            yield response
    return wrapped
"""


@pytest.fixture
def make(project):
    """Build from the project; what is built is closed after the test."""
    made = []

    def make(*plugins, schemas=("shop.binpb",), number=1):
        made.append(build(schemas, plugins or ["plugins"], number))
        return made[-1]

    yield make
    for generation in made:
        generation.close()


@pytest.fixture
def left_behind():
    """The plugin modules that the test leaves in the process."""

    def modules():
        return {name for name in sys.modules if name.startswith("dynconnect_plugins_g")}

    before = modules()
    return lambda: modules() - before


async def test_every_method_has_a_route_and_the_bound_ones_say_by_what(make):
    generation = make(number=3)
    assert {path: route.bound_by for path, route in generation.routes.items()} == {
        f"/{ORDERS}/GetOrder": "plugins/orders.py:6 Orders.get_order",
        f"/{ORDERS}/ListOrders": None,
        f"/{ORDERS}/Upload": None,
        f"/{ORDERS}/Chat": None,
        "/shop.v1.Stock/Count": None,
        "/shop.v1.Stock/Import": None,
    }
    assert generation.number == 3
    assert all(generation.schema.methods[path] is route.method for path, route in generation.routes.items())


async def test_a_route_answers(make):
    route = make().routes[f"/{ORDERS}/GetOrder"]
    assert await answers(route.stream, "GetOrder", "a") == ["a!"]


async def test_interceptors_are_round_every_route_the_first_outermost(make, project):
    project.plugin(TAG.format(name="a"), "a_tags")
    project.plugin(TAG.format(name="z"), "z_tags")
    generation = make()
    assert len(generation.interceptors) == 2
    assert await answers(generation.routes[f"/{ORDERS}/GetOrder"].stream, "GetOrder", "x") == ["x! z a"]


async def test_a_method_without_a_handler_is_intercepted_too(make, project):
    project.plugin("""\
        from dynconnect import Code, ConnectError, interceptor
        @interceptor
        def refuse(stream):
            async def wrapped(requests, ctx):
                raise ConnectError(Code.UNAUTHENTICATED, "who are you?")
                yield
            return wrapped
        """)
    stream = make().routes["/shop.v1.Stock/Count"].stream
    with pytest.raises(Exception, match="unauthenticated: who are you"):
        await answers(stream, "GetOrder", "x")


async def test_without_plugins_every_method_is_unimplemented(project):
    generation = build(["shop.binpb"])
    with pytest.raises(Exception, match=r"shop\.v1\.Orders\.GetOrder has no handler"):
        await answers(generation.routes[f"/{ORDERS}/GetOrder"].stream, "GetOrder", "x")
    generation.close()


def test_equal_content_has_an_equal_hash_and_any_edit_changes_it(make, project):
    first = make()
    assert make(number=2).hash == first.hash
    project.plugin("V = 1", "helper")
    with_helper = make()
    assert with_helper.hash != first.hash
    project.schema(make_set(PROTO.replace("string id = 1", "string id = 9")))
    assert make().hash != with_helper.hash


def test_findings_of_schemas_and_plugins_come_together(project):
    project.schema(b"nonsense", "bad.binpb")
    project.schema(make_set()[:-20], "cut.binpb")
    project.plugin("def f(:", "broken")
    with pytest.raises(FindingsError) as caught:
        build(["bad.binpb", "cut.binpb"], ["plugins", "plugns"])
    where = [finding.where for finding in caught.value.findings]
    assert where == ["bad.binpb", "cut.binpb", "plugins/broken.py:1", "plugns"]


def test_plugins_are_not_executed_without_a_schema(project):
    project.plugin(f"open({str(project.root / 'made')!r}, 'w')", "touch")
    with pytest.raises(
        FindingsError, match=r"shp\.binpb: no such file or folder; did you mean shop\.binpb\?"
    ):
        build(["shp.binpb"], ["plugins"])
    assert not (project.root / "made").exists()


BROKEN = [
    pytest.param("1 / 0", "plugins/orders.py:1: ZeroDivisionError", id="loading"),
    pytest.param(
        'from dynconnect import rpc\n@rpc("a.B/C")\ndef f(): pass', "no service a.B in", id="binding"
    ),
    pytest.param(
        "from dynconnect import interceptor\n@interceptor\ndef f(s): pass", "no stream", id="intercepting"
    ),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_refused_generation_leaves_no_modules(project, left_behind, text, message):
    project.plugin(text)
    with pytest.raises(FindingsError) as caught:
        build(["shop.binpb"], ["plugins"])
    assert message in str(caught.value)
    assert left_behind() == set()


def test_an_interceptor_that_fails_for_every_method_is_one_finding(project):
    project.plugin("from dynconnect import interceptor\n@interceptor\ndef f(stream): pass")
    with pytest.raises(FindingsError) as caught:
        build(["shop.binpb"], ["plugins"])
    assert len(caught.value.findings) == 1


def test_a_schema_made_elsewhere_is_drafted_as_well(project, left_behind):
    generation = draft(shop(), discover(["plugins"], 5, shop(), ()), 5).open_at_once()
    assert (generation.number, generation.schema) == (5, shop())
    generation.close()
    assert left_behind() == set()


def test_every_unreadable_set_is_named(project):
    for name in ("a.binpb", "b.binpb"):
        project.schema(b"", name)
    with pytest.raises(FindingsError) as caught:
        read_schema(["a.binpb", "b.binpb", "shop.binpb"])
    assert [finding.where for finding in caught.value.findings] == ["a.binpb", "b.binpb"]


async def test_a_build_in_a_thread_is_the_same_build(project):
    project.plugin("import threading\nTHREAD = threading.get_ident()", "helper")
    generation = await build_in_thread(["shop.binpb"], ["plugins"], 4)
    assert generation.number == 4
    space = generation.plugins.space.name
    assert threading.get_ident() != sys.modules[f"{space}.plugins.helper"].THREAD
    generation.close()


async def test_a_build_in_a_thread_raises_the_findings(project):
    with pytest.raises(FindingsError, match="did you mean plugins"):
        await build_in_thread(["shop.binpb"], ["plugns"])


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancelled_build_leaves_nothing_behind(project, left_behind, monkeypatch, fails):
    begun, go = threading.Event(), threading.Event()

    def slow(*args, **options):
        begun.set()
        assert go.wait(10)
        if fails:
            raise FindingsError([])
        return prepare(*args, **options)

    monkeypatch.setattr(build_module, "prepare", slow)
    building = asyncio.ensure_future(build_in_thread(["shop.binpb"], ["plugins"]))
    await asyncio.to_thread(begun.wait, 10)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    others = asyncio.all_tasks() - {asyncio.current_task()}
    go.set()
    await asyncio.wait(others)
    await asyncio.sleep(0)
    assert left_behind() == set()
