"""What plugins set up, over the life of generations."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import weakref
from types import ModuleType

import pytest
from support.shop import ORDERS, answers

from dynconnect.live import generations as generations_module
from dynconnect.live.build import build, build_in_thread
from dynconnect.live.generations import Generations
from dynconnect.schema.finding import FindingsError

PLUGIN = """\
import journal
from dynconnect import resource, service

@resource(scope="process")
async def pool(settings):
    journal.events.append("pool up")
    yield journal.Value()
    journal.events.append("pool down")

@resource
async def table(pool):
    journal.events.append("table up")
    yield journal.Value()
    journal.events.append("table down")

@resource
def index(table):
    journal.events.append("index up")
    yield journal.Value()
    journal.events.append("index down")

@service("shop.v1.Orders")
class Orders:
    def __init__(self, pool, table, hot, settings, more=1):
        journal.events.append("made")
        self.pool, self.table, self.hot, self.settings = pool, table, hot, settings
        hot.dispose(lambda: journal.events.append("disposed"))
        hot.data["count"] = hot.data.get("count", 0) + 1
        hot.data.setdefault("first", journal.Value())
        journal.made.append(self)

    async def get_order(self, request, ctx):
        return {"id": f"{request.id} {self.hot.data['count']}"}
"""
UP = ["pool up", "table up", "index up", "made"]


class Value:
    """Something that is not equal to another, and may be watched."""


class Call:
    def cut(self, why):
        raise AssertionError("nobody waits so long")


@pytest.fixture
def journal(monkeypatch):
    """The module in which all generations of a plugin write down what happens."""
    module = ModuleType("journal")
    module.events, module.made, module.Value = [], [], Value
    monkeypatch.setitem(sys.modules, "journal", module)
    return module


@pytest.fixture
def events(journal):
    """What happened since this was called before."""

    def events():
        found = list(journal.events)
        journal.events.clear()
        return found

    return events


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(generations_module, "COLLECT_AFTER", 0.0)


def make(number=1, predecessor=None):
    return build_in_thread(["shop.binpb"], ["plugins"], number, predecessor)


async def settle():
    """Let everything happen that waits for nothing outside."""
    await collected()
    while others := asyncio.all_tasks() - {asyncio.current_task()} - resource_tasks():
        await asyncio.wait(others)


async def collected():
    """Wait until a collection that is due has begun."""
    due = asyncio.Event()
    asyncio.get_running_loop().call_later(2 * generations_module.COLLECT_AFTER, due.set)
    await due.wait()
    await asyncio.sleep(0)


def resource_tasks():
    return {task for task in asyncio.all_tasks() if task.get_name().startswith("resource ")}


async def test_resources_live_as_long_as_their_scope_and_end_in_reverse(project, journal, events):
    project.plugin(PLUGIN)
    live = Generations(await make())
    assert events() == UP
    live.swap(await make(2, live.current))
    assert events() == ["table up", "index up", "made"]
    await settle()
    assert events() == ["disposed", "index down", "table down"]
    old, new = journal.made
    assert new.pool is old.pool
    assert new.table is not old.table
    await live.aclose()
    assert events() == ["disposed", "index down", "table down", "pool down"]
    assert resource_tasks() == set()
    await live.aclose()
    assert events() == []


async def test_resources_of_an_old_generation_wait_for_its_last_call(project, events):
    project.plugin(PLUGIN)
    live = Generations(await make())
    call = Call()
    entered = live.enter(call.cut)
    live.swap(await make(2, live.current))
    events()
    await settle()
    assert events() == ["disposed"]
    live.leave(entered, call.cut)
    await settle()
    assert events() == ["index down", "table down"]
    await live.aclose()


async def test_the_end_of_a_server_ends_generations_that_still_drain(project, events):
    project.plugin(PLUGIN)
    live = Generations(await make())
    live.enter(Call().cut)
    live.swap(await make(2, live.current))
    await settle()
    events()
    await live.aclose()
    assert events() == [
        "index down", "table down", "disposed", "index down", "table down", "pool down"
    ]  # fmt: skip


async def test_what_is_handed_over_is_there_when_the_successor_is_made(project, journal):
    project.plugin(PLUGIN)
    live = Generations(await make())
    for number in (2, 3):
        live.swap(await make(number, live.current))
    stream = live.current.routes[f"/{ORDERS}/GetOrder"].stream
    assert await answers(stream, "GetOrder", "x") == ["x 3"]
    assert len({id(one.hot.data["first"]) for one in journal.made}) == 1
    await live.aclose()


async def test_each_file_hands_over_to_itself_alone(project, journal):
    project.plugin(PLUGIN)
    other = PLUGIN.replace("shop.v1.Orders", "shop.v1.Stock").replace("get_order", "count")
    project.plugin(other[: other.index("@resource")] + other[other.index("@service") :], "stock")
    generation = await make()
    one, two = journal.made
    assert one.hot is not two.hot
    await generation.aclose()


async def test_a_teardown_is_not_cut_short_by_a_cancellation(project, events):
    project.plugin(PLUGIN)
    generation = await make()
    events()
    closing = asyncio.create_task(generation.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert events() == ["disposed", "index down", "table down", "pool down"]


REFUSALS = [
    pytest.param("", "1 / 0\n", ["made", "disposed"], id="a constructor"),
    pytest.param("@resource\ndef last(index):\n    1 / 0\n", "", [], id="a resource"),
]


@pytest.mark.parametrize(("resource", "constructor", "more"), REFUSALS)
async def test_a_refused_successor_is_torn_down_and_nothing_of_the_old_is_lost(
    project, journal, events, resource, constructor, more
):
    project.plugin(PLUGIN)
    live = Generations(await make())
    events()
    text = PLUGIN.replace("journal.made.append(self)", constructor or "journal.made.append(self)")
    text = text.replace("@resource\nasync def table(pool)", "@resource\nasync def table(pool, extra)")
    extra = "@resource(scope='process')\ndef extra():\n  yield 1\n  journal.events.append('extra down')\n"
    project.plugin(text + extra + resource)
    with pytest.raises(FindingsError, match="ZeroDivisionError"):
        await make(2, live.current)
    assert events() == ["table up", "index up", *more, "index down", "table down", "extra down"]
    stream = live.current.routes[f"/{ORDERS}/GetOrder"].stream
    assert await answers(stream, "GetOrder", "x") == ["x 1"]
    await live.aclose()
    assert events() == ["disposed", "index down", "table down", "pool down"]


async def test_a_candidate_that_is_not_wanted_leaves_nothing_even_of_the_process(project, events):
    project.plugin(PLUGIN)
    candidate = await make()
    events()
    await candidate.aclose()
    assert events() == ["disposed", "index down", "table down", "pool down"]
    assert resource_tasks() == set()


async def test_a_cancelled_opening_is_torn_down(project, events):
    project.plugin(PLUGIN + "\n@resource\nasync def last(index):\n    journal.events.append('last')\n"
                            "    await journal.forever.wait()\n")  # fmt: skip
    sys.modules["journal"].forever = asyncio.Event()
    opening = asyncio.create_task(make())
    while "last" not in sys.modules["journal"].events:  # noqa: ASYNC110  it comes from another thread's work
        await asyncio.sleep(0.001)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert events() == ["pool up", "table up", "index up", "last", "index down", "table down", "pool down"]


EDITS = [
    pytest.param(
        PLUGIN.replace("yield journal.Value()", "yield journal.Value() or 1", 1), "", True, id="code"
    ),
    pytest.param(PLUGIN, "[plugins.orders]\nurl = 'other'", True, id="settings"),
    pytest.param("# on another line\n" + PLUGIN, "# none yet", False, id="neither"),
]


@pytest.mark.parametrize(("text", "settings", "told"), EDITS)
async def test_a_process_resource_that_is_edited_is_kept_and_that_is_said(
    project, journal, caplog, text, settings, told
):
    project.plugin(PLUGIN)
    live = Generations(await make())
    project.plugin(text)
    (project.root / "dynconnect.toml").write_text(settings)
    live.swap(await make(2, live.current))
    one, two = journal.made
    assert one.pool is two.pool
    said = (
        "plugins/orders.py:4: resource pool lives as long as the process: restart to set it up as it is now"
    )
    assert [record.message for record in caplog.records] == [said] * told
    await live.aclose()


async def test_a_process_resource_that_is_removed_ends_with_the_server(project, events):
    project.plugin(PLUGIN)
    live = Generations(await make())
    project.plugin("from dynconnect import service\n@service('shop.v1.Orders')\nclass Orders: pass")
    live.swap(await make(2, live.current))
    await settle()
    assert events() == [*UP, "disposed", "index down", "table down"]
    await live.aclose()
    assert events() == ["pool down"]


async def test_a_process_resource_that_has_ended_by_itself_is_set_up_anew(project, caplog):
    project.plugin("""\
        import asyncio, journal
        from dynconnect import resource
        async def fails():
            await journal.fail.wait()
            raise ValueError
        @resource(scope="process")
        async def pool():
            async with asyncio.TaskGroup() as group:
                task = group.create_task(fails())
                journal.events.append("up")
                yield
                task.cancel()
        """)
    journal = ModuleType("journal")
    journal.events, journal.fail = [], asyncio.Event()
    sys.modules["journal"] = journal
    try:
        live = Generations(await make())
        journal.fail.set()
        await asyncio.wait(resource_tasks())
        journal.fail.clear()
        live.swap(await make(2, live.current))
        assert journal.events == ["up", "up"]
        await live.aclose()
    finally:
        del sys.modules["journal"]
    assert [record.message for record in caplog.records] == ["resource pool ended while it was in use"]


async def test_settings_are_those_of_the_plugin_and_an_edit_of_them_makes_another_generation(
    project, journal, monkeypatch
):
    project.plugin(PLUGIN)
    monkeypatch.setitem(os.environ, "SECRET", "hush")
    config = project.root / "dynconnect.toml"
    config.write_text('[plugins.orders]\nkey = { env = "SECRET" }\n')
    one = await make()
    config.write_text('[plugins.orders]\nkey = { env = "SECRET" }\nmore = 1\n')
    two = await make(2)
    assert [dict(each.settings) for each in journal.made] == [{"key": "hush"}, {"key": "hush", "more": 1}]
    assert one.hash != two.hash
    await one.aclose()
    await two.aclose()


async def test_findings_of_settings_come_with_all_others(project):
    (project.root / "dynconnect.toml").write_text('[plugins.order]\nkey = { env = "NOWHERE" }\n')
    project.plugin("from dynconnect import rpc\n@rpc('a.B/C')\nasync def f(request, ctx): pass")
    with pytest.raises(FindingsError) as caught:
        await make()
    assert [finding.where for finding in caught.value.findings] == [
        "plugins/orders.py:2", "dynconnect.toml:2", "dynconnect.toml:1"
    ]  # fmt: skip


async def test_handles_in_setup_and_constructors_are_those_of_the_new_schema(project, journal):
    project.plugin("""\
        import journal
        from dynconnect import resource, service
        from dynconnect_types.shop.v1 import Order

        @resource
        async def first(): return Order(id="a")

        @resource
        def second(): return Order(id="b")

        @service("shop.v1.Orders")
        class Orders:
            def __init__(self, first, second):
                journal.made += [first, second, Order(id="c")]
        """)
    generation = await make()
    cls = generation.schema.message_class("shop.v1.Order")
    assert [type(each) is cls for each in journal.made] == [True, True, True]
    await generation.aclose()


def test_without_an_event_loop_resources_are_refused(project, journal):
    project.plugin(PLUGIN)
    with pytest.raises(FindingsError) as caught:
        build(["shop.binpb"], ["plugins"])
    assert [finding.where for finding in caught.value.findings] == [
        "plugins/orders.py:4", "plugins/orders.py:10", "plugins/orders.py:16"
    ]  # fmt: skip
    assert journal.events == []


async def test_1000_swaps_with_resources_leave_nothing(project, journal, monkeypatch):
    monkeypatch.setattr(generations_module, "COLLECT_AFTER", 0.1)
    project.plugin(PLUGIN.replace("journal.made.append(self)", "pass"))
    live = Generations(await make())
    watched, blocks = [], []
    for number in range(2, 1002):
        watched.append(weakref.ref(live.current))
        watched.append(weakref.ref(live.current.state))
        live.swap(await make(number, live.current))
        if number in (501, 1001):
            await settle()
            gc.collect()
            journal.events.clear()
            blocks.append(sys.getallocatedblocks())
    assert [one() for one in watched if one() is not None] == []
    assert blocks[1] - blocks[0] < 5000, "one swap takes some thousand objects, and 500 leave few"
    assert len(resource_tasks()) == 3
    await live.aclose()
