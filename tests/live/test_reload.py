"""From edits to news: a reloader over real files, watched or asked by hand."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import weakref
from types import ModuleType

import pytest
from support.reloading import reloading
from support.shop import PROTO, make_set

from dynconnect.live import generations as generations_module
from dynconnect.live import reload as reload_module
from dynconnect.live.build import build, build_in_thread
from dynconnect.live.generations import LIVE_MAX
from dynconnect.live.news import Held, Mended, NotLoaded, Refused, Stale, Swapped, Unchanged, Undone
from dynconnect.schema.finding import Finding, FindingsError

GET = "shop.v1.Orders/GetOrder"

PLUGIN = """\
from dynconnect import service
from dynconnect_types.shop.v1 import Order

@service("shop.v1.Orders")
class Orders:
    async def get_order(self, request, ctx):
        return Order(id="{}")
"""


def plugin(text="1"):
    return PLUGIN.format(text)


@pytest.fixture
def project(project):
    project.plugin(plugin())
    return project


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(reload_module, "PATIENCE", 0.05)


async def answer(live):
    response = await live.post(GET)
    return response.json()["id"], response.headers["dynconnect-generation"]


async def test_an_edit_of_a_plugin_is_served_and_told(project):
    async with reloading("shop.binpb") as live:
        assert await answer(live) == ("1", "1")
        project.plugin(plugin("2"))
        news = await live.next(Swapped)
        assert (news.number, news.edited, news.changes) == (2, ("plugins/orders.py",), ("GetOrder changed",))
        assert news.seconds > 0
        assert await answer(live) == ("2", "2")


async def test_an_edit_of_the_schema_is_served_and_told(project):
    async with reloading("shop.binpb") as live:
        project.schema(make_set(PROTO.replace("string id = 1;", "string id = 1; int32 n = 9;")))
        news = await live.next(Swapped)
        assert (news.edited, news.changes) == (("shop.binpb",), ("+ Order.n (9, int32)",))
        assert news.breaking == ()
        assert (
            "n"
            in live.server.generations.current.schema.message_class("shop.v1.Order").DESCRIPTOR.fields_by_name
        )


async def test_what_an_edit_breaks_is_told_and_served(project):
    async with reloading("shop.binpb") as live:
        project.schema(make_set(PROTO.replace("repeated Item items = 3;", "")))
        news = await live.next(Swapped)
        assert [one.element for one in news.breaking] == ["shop.v1.Order.items"]


async def test_what_breaks_callers_is_refused_if_that_is_asked_for(project):
    async with reloading("shop.binpb", refuse_breaking=True) as live:
        project.schema(make_set(PROTO.replace("repeated Item items = 3;", "")))
        news = await live.next(Refused)
        (finding,) = news.findings
        assert finding.where == "shop/v1/shop.proto:10"
        assert "shop.v1.Order.items is gone" in finding.what
        assert await answer(live) == ("1", "1")
        project.schema(make_set(PROTO.replace("string id = 1;", "string id = 1; int32 n = 9;")))
        assert (await live.next(Swapped)).breaking == ()


async def test_a_bad_edit_is_told_whole_and_the_old_generation_goes_on(project):
    async with reloading("shop.binpb") as live:
        project.plugin("def (")
        news = await live.next(Refused)
        assert news.serving == 1
        assert [finding.where for finding in news.findings] == ["plugins/orders.py:1"]
        assert await answer(live) == ("1", "1")
        stale = await live.next(Stale)
        assert (stale.serving, stale.finding) == (1, news.findings[0])
        project.plugin(plugin("2"))
        assert (await live.next(Swapped)).number == 2
        await answer(live)
        assert not [news for news in live.news if isinstance(news, Stale)]


async def test_reminders_come_once_a_second_at_the_most(project, monkeypatch):
    async with reloading("shop.binpb") as live:
        project.plugin("def (")
        await live.next(Refused)
        now = live.reloader._loop.time()
        clock = type("Clock", (), {"time": lambda self: now})()
        monkeypatch.setattr(live.reloader, "_loop", clock)
        for _ in range(3):
            await answer(live)
        now += 1.0
        await answer(live)
        assert len([news for news in live.news if isinstance(news, Stale)]) == 2


async def test_files_that_are_mended_again_are_no_other_generation(project):
    async with reloading("shop.binpb") as live:
        project.plugin("def (")
        await live.next(Refused)
        project.plugin(plugin())
        assert (await live.next(Mended)).serving == 1
        assert await answer(live) == ("1", "1")


async def test_a_save_without_a_change_says_so(project, monkeypatch):
    monkeypatch.setattr(reload_module, "ECHO", 0.0)
    async with reloading("shop.binpb") as live:
        os.utime(project.root / "plugins" / "orders.py")
        assert (await live.next(Unchanged)).saved == ("plugins/orders.py",)


async def test_a_save_of_what_was_refused_tells_the_findings_again(project, monkeypatch):
    monkeypatch.setattr(reload_module, "ECHO", 0.0)
    async with reloading("shop.binpb") as live:
        project.plugin("def (")
        first = await live.next(Refused)
        os.utime(project.root / "plugins" / "orders.py")
        assert await live.next(Refused) == first


async def test_a_file_beside_plugins_that_is_none_is_mentioned_once(project):
    async with reloading("shop.binpb") as live:
        for text in ("1", "2"):
            (project.root / "plugins" / "words.json").write_text(text)
            if text == "1":
                assert (await live.next(NotLoaded)).saved == ("plugins/words.json",)
        project.plugin(plugin("2"))
        await live.next(Swapped)
        assert not [news for news in live.news if isinstance(news, NotLoaded)]


async def test_a_request_reloads_even_what_has_not_changed(project):
    async with reloading("shop.binpb", watch=False) as live:
        live.reloader.request()
        news = await live.next(Swapped)
        assert (news.number, news.edited, news.changes) == (2, (), ())


async def test_without_watching_an_edit_waits_for_a_request(project):
    async with reloading("shop.binpb", watch=False) as live:
        project.plugin(plugin("2"))
        assert await answer(live) == ("1", "1")
        live.reloader.request()
        assert (await live.next(Swapped)).edited == ("plugins/orders.py",)
        assert await answer(live) == ("2", "2")


async def test_an_edit_can_be_undone_and_the_next_one_counts_again(project):
    project.plugin("TEXT = '1'", "_helper")
    late = plugin().replace('return Order(id="1")', "import _helper\n        return Order(id=_helper.TEXT)")
    project.plugin(late)
    async with reloading("shop.binpb", undoes=True) as live:
        assert await answer(live) == ("1", "1")
        project.plugin("TEXT = '2'", "_helper")
        await live.next(Swapped)
        assert await answer(live) == ("2", "2")
        live.reloader.undo()
        assert await live.next(Undone) == Undone(3, 1)
        assert await answer(live) == ("1", "3"), "what it has imported late is its own too"
        live.reloader.undo()
        assert await live.next(Undone) == Undone(4, 2)
        assert await answer(live) == ("2", "4")
        project.plugin("TEXT = '5'", "_helper")
        assert (await live.next(Swapped)).number == 5
        assert await answer(live) == ("5", "5")


async def test_an_undo_while_an_edit_may_be_half_written_is_not_lost(project, monkeypatch):
    async with reloading("shop.binpb", undoes=True, watch=False) as live:
        project.plugin(plugin("2"))
        live.reloader.request()
        await live.next(Swapped)
        project.plugin("def (")
        monkeypatch.setattr(reload_module, "PATIENCE", 0.5)
        failed = asyncio.Event()

        async def refusing(number, _):
            failed.set()
            return await build_in_thread(("shop.binpb",), ("plugins",), number)

        live.reloader._build = refusing
        live.reloader.request()
        await failed.wait()
        live.reloader.undo()
        assert (await live.next(Refused)).serving == 2, "what is wrong is told first"
        assert await live.next(Undone) == Undone(3, 1)
        assert await answer(live) == ("1", "3")


async def test_the_first_generation_has_none_before_it(project):
    async with reloading("shop.binpb", undoes=True, watch=False) as live:
        live.reloader.undo()
        assert await live.next(Undone) == Undone(1, None)


async def test_what_can_be_undone_is_one_generation_and_no_more(project, monkeypatch):
    monkeypatch.setattr(generations_module, "COLLECT_AFTER", 0.01)
    async with reloading("shop.binpb", undoes=True, watch=False) as live:
        seen = [weakref.ref(live.server.generations.current)]
        for number in range(2, 12):
            project.plugin(plugin(str(number)))
            live.reloader.request()
            await live.next(Swapped)
            seen.append(weakref.ref(live.server.generations.current))
        await asyncio.sleep(0.1)
        assert [at for at, one in enumerate(seen, 1) if one() is not None] == [10, 11]
        names = {name.split(".")[0] for name in sys.modules if name.startswith("dynconnect_plugins_g")}
        kept = {one().plugins.space.name for one in seen[-2:]}
        assert kept <= names
        assert not names & {f"dynconnect_plugins_g{number}" for number in range(3, 9)}


# --- how files come -----------------------------------------------------------------------------------------


def by_rename(project):
    new = project.root / "plugins" / ".orders.py.swp"
    new.write_text(plugin("2"))
    new.replace(project.root / "plugins" / "orders.py")


def by_backup(project):
    # vim with backupcopy=no: the old file is renamed, a new one is written, the old one is removed.
    file = project.root / "plugins" / "orders.py"
    file.rename(f"{file}~")
    file.write_text(plugin("2"))
    (project.root / "plugins" / "orders.py~").unlink()


def by_removal(project):
    (project.root / "plugins" / "orders.py").unlink()
    project.plugin(plugin("2"))


def by_folder(project):
    other = project.root / "other"
    other.mkdir()
    (other / "orders.py").write_text(plugin("2"))
    (project.root / "plugins").rename(project.root / "old")
    other.rename(project.root / "plugins")


def by_fresh_folder(project):
    shutil.rmtree(project.root / "plugins")
    (project.root / "plugins").mkdir()
    project.plugin(plugin("2"))


SAVES = [by_rename, by_backup, by_removal, by_folder, by_fresh_folder]


@pytest.mark.parametrize("save", SAVES)
async def test_an_edit_is_seen_however_it_is_saved(project, save):
    async with reloading("shop.binpb") as live:
        save(project)
        while (await live.next(Swapped)).number < 2:
            pass
        assert (await answer(live))[0] == "2"


async def test_a_link_that_is_put_in_the_place_of_another_swaps_all_behind_it(project):
    # As Kubernetes updates a ConfigMap: data in a folder of its own, and one link to it is replaced.
    root = project.root / "config"
    for version in ("1", "2"):
        folder = root / f"..{version}"
        folder.mkdir(parents=True)
        (folder / "orders.py").write_text(plugin(version))
        proto = PROTO.replace("string id = 1;", f"string id = 1; int32 n = {version}1;")
        (folder / "shop.binpb").write_bytes(make_set(proto))
    (root / "..data").symlink_to("..1")
    for name in ("orders.py", "shop.binpb"):
        (root / name).symlink_to(f"..data/{name}")
    async with reloading("config/shop.binpb", plugins=("config/orders.py",)) as live:
        assert await answer(live) == ("1", "1")
        for number, version in enumerate(("2", "1"), 2):
            (root / "..tmp").symlink_to(f"..{version}")
            (root / "..tmp").replace(root / "..data")
            news = await live.next(Swapped)
            assert (news.number, news.edited) == (number, ("config/orders.py", "config/shop.binpb"))
            assert (await answer(live))[0] == version


async def test_a_new_plugin_and_one_that_goes_are_seen(project):
    other = plugin("x").replace("Orders", "Stock").replace("get_order", "count")
    async with reloading("shop.binpb") as live:
        project.plugin(other, "stock")
        assert (await live.next(Swapped)).changes == ("Count has a handler",)
        (project.root / "plugins" / "stock.py").unlink()
        assert (await live.next(Swapped)).changes == ("Count has no handler any more",)


async def test_a_plugin_in_a_new_folder_is_seen(project):
    other = plugin("x").replace("Orders", "Stock").replace("get_order", "count")
    async with reloading("shop.binpb") as live:
        folder = project.root / "plugins" / "deep"
        folder.mkdir()
        (folder / "stock.py").write_text(other)
        assert (await live.next(Swapped)).changes == ("Count has a handler",)


async def test_an_edit_of_a_helper_alone_is_seen(project):
    project.plugin("TEXT = '1'", "_helper")
    project.plugin("import _helper\n" + plugin().replace('"1"', "_helper.TEXT"))
    async with reloading("shop.binpb") as live:
        project.plugin("TEXT = '2'", "_helper")
        assert (await live.next(Swapped)).edited == ("plugins/_helper.py",)
        assert await answer(live) == ("2", "2")


async def test_a_helper_in_the_working_directory_is_watched_even_if_it_was_broken_from_the_start(project):
    project.plugin("import shared\n" + plugin())
    (project.root / "shared.py").write_text("")
    async with reloading("shop.binpb") as live:
        (project.root / "shared.py").write_text("def (")
        assert [finding.where for finding in (await live.next(Refused)).findings] == ["shared.py:1"]
        (project.root / "shared.py").write_text("A = 1")
        assert (await live.next(Swapped)).edited == ("shared.py",)


async def test_a_schema_that_goes_is_refused_and_one_that_comes_again_is_mended(project):
    async with reloading("shop.binpb") as live:
        (project.root / "shop.binpb").rename(project.root / "away")
        (finding,) = (await live.next(Refused)).findings
        assert finding.where == "shop.binpb"
        (project.root / "away").rename(project.root / "shop.binpb")
        await live.next(Mended)


async def test_a_half_written_set_is_no_news(project, monkeypatch):
    monkeypatch.setattr(reload_module, "PATIENCE", 30.0)
    data = make_set(PROTO.replace("string id = 1;", "string id = 1; int32 n = 9;"))
    tried = asyncio.Event()

    async def trying(number, _):
        try:
            return await build_in_thread(("shop.binpb",), ("plugins",), number)
        except FindingsError:
            tried.set()
            raise

    async with reloading("shop.binpb", build=trying) as live:
        with (project.root / "shop.binpb").open("wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            async with asyncio.timeout(10):
                await tried.wait()
            file.write(data[len(data) // 2 :])
        assert (await live.next(Swapped)).changes == ("+ Order.n (9, int32)",)
        assert live.news == []


# --- what happens meanwhile ---------------------------------------------------------------------------------


async def test_files_that_change_while_they_are_read_are_read_again(project):
    built = []

    async def racing(number, _):
        generation = build(("shop.binpb",), ("plugins",), number)
        built.append(weakref.ref(generation))
        if len(built) == 1:
            project.plugin(plugin("3"))
        return generation

    async with reloading("shop.binpb", watch=False, build=racing) as live:
        project.plugin(plugin("2"))
        live.reloader.request()
        assert (await live.next(Swapped)).number == 2
        assert await answer(live) == ("3", "2")
        assert len(built) == 2


async def test_files_that_never_stand_still_are_taken_as_they_are(project):
    count = 0

    async def racing(number, _):
        nonlocal count
        generation = build(("shop.binpb",), ("plugins",), number)
        count += 1
        project.plugin(plugin(str(count + 100)))
        return generation

    async with reloading("shop.binpb", watch=False, build=racing) as live:
        live.reloader.request()
        assert (await live.next(Swapped)).number == 2
        assert count == reload_module.TORN_MAX + 1


async def test_a_request_during_a_turn_is_not_lost(project):
    async with reloading("shop.binpb", watch=False) as live:
        began, go = asyncio.Event(), asyncio.Event()

        async def slow(number, _):
            began.set()
            await go.wait()
            return build(("shop.binpb",), ("plugins",), number)

        live.reloader._build = slow
        live.reloader.request()
        await began.wait()
        live.reloader.request()
        go.set()
        assert [(await live.next(Swapped)).number for _ in range(2)] == [2, 3]


async def test_the_ninth_generation_waits_for_one_of_eight_to_end(project):
    async with reloading("shop.binpb", watch=False) as live:
        generations, calls = live.server.generations, []
        for number in range(1, 8):
            calls.append((generations.enter(cut := object()), cut))
            live.reloader.request()
            assert (await live.next(Swapped)).number == number + 1
        generations.enter(object())
        live.reloader.request()
        held = await live.next(Held)
        assert (held.serving, held.draining) == (8, tuple(range(1, 8)))
        generations.leave(*calls[3])
        assert (await live.next(Swapped)).number == 9


async def test_while_one_waits_a_newer_edit_takes_its_place(project):
    async with reloading("shop.binpb") as live:
        generations, calls = live.server.generations, []
        for _ in range(7):
            calls.append((generations.enter(cut := object()), cut))
            live.reloader.request()
            await live.next(Swapped)
        project.plugin(plugin("2"))
        await live.next(Held)
        project.plugin(plugin("3"))
        await live.next(Held)
        generations.leave(*calls[0])
        await live.next(Swapped)
        assert (await answer(live))[0] == "3"


async def test_a_watcher_that_fails_is_logged_and_serving_goes_on(project, monkeypatch, caplog):
    async def failing(_):
        yield frozenset()
        raise OSError(28, "no more watches")

    monkeypatch.setattr(reload_module, "touched", failing)
    async with reloading("shop.binpb") as live:
        await asyncio.sleep(0)
        live.reloader.request()
        assert (await live.next(Swapped)).number == 2
    assert "edits are not seen any more" in caplog.text


async def test_200_reloads_leave_one_generation(project, monkeypatch):
    monkeypatch.setattr(generations_module, "COLLECT_AFTER", 0.01)
    async with reloading("shop.binpb", watch=False) as live:
        seen = []
        for number in range(2, 202):
            project.plugin(plugin(str(number)))
            live.reloader.request()
            await live.next(Swapped)
            assert await answer(live) == (str(number), str(number))
            seen.append(weakref.ref(live.server.generations.current))
        await asyncio.sleep(0.1)
        assert [at for at, one in enumerate(seen) if one() is not None] == [199]


async def test_findings_without_a_file_are_no_reason_to_fail(project):
    async def refusing(number, _):
        raise FindingsError([Finding("nowhere", "is wrong")])

    async with reloading("shop.binpb", watch=False, build=refusing) as live:
        live.reloader.request()
        assert (await live.next(Refused)).findings == (Finding("nowhere", "is wrong"),)


# --- candidates with resources ------------------------------------------------------------------------------

RESOURCE = """\
import journal
from dynconnect import resource

@resource
async def thing():
    journal.up += 1
    yield
    journal.down += 1
"""


async def breaks(project, live):
    project.schema(make_set(PROTO.replace("repeated Item items = 3;", "")))
    live.reloader.request()
    await live.next(Refused)


async def fails(project, live):
    project.plugin(RESOURCE.replace("thing():", "other(thing):\n    1 / 0"), "other")
    live.reloader.request()
    (finding,) = (await live.next(Refused)).findings
    assert (finding.where, finding.what) == ("plugins/other.py:6", "ZeroDivisionError: division by zero")


async def is_mended(project, live):
    project.plugin("def (")
    live.reloader.request()
    await live.next(Refused)
    project.plugin(plugin())
    live.reloader._stir()
    await live.next(Mended)


async def waits(project, live):
    for _ in range(LIVE_MAX - 1):
        live.server.generations.enter(object())
        live.reloader.request()
        await live.next(Swapped)
    live.reloader.request()
    await live.next(Held)


async def is_torn(project, live):
    build, left = live.reloader._build, iter([True])

    async def racing(number, current):
        generation = await build(number, current)
        if next(left, False):
            project.plugin(plugin("3"))
        return generation

    live.reloader._build = racing
    live.reloader.request()
    await live.next(Swapped)


@pytest.mark.parametrize("candidate", [breaks, fails, is_mended, waits, is_torn])
async def test_a_candidate_that_is_not_taken_is_torn_down(project, monkeypatch, candidate):
    monkeypatch.setattr(generations_module, "COLLECT_AFTER", 0.0)
    journal = ModuleType("journal")
    journal.up = journal.down = 0
    monkeypatch.setitem(sys.modules, "journal", journal)
    project.plugin(RESOURCE, "thing")
    async with reloading("shop.binpb", watch=False, refuse_breaking=True) as live:
        await candidate(project, live)
    assert journal.up == journal.down >= 2
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("resource ")]
