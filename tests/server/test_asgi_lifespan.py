"""Plugins with resources in an ASGI application, on a host that runs a lifespan and on one that does not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from support.shop import make_set

from dynconnect import load
from dynconnect.schema.finding import FindingsError
from dynconnect.server.asgi import Server

PLUGIN = """\
import journal
from dynconnect import resource, service

@resource
async def db(settings):
    await journal.go.wait()
    journal.events.append("up")
    yield settings.get("name", "db")
    journal.events.append("down")

@service("shop.v1.Orders")
class Orders:
    def __init__(self, db): self.db = db
    async def get_order(self, request, ctx): return {"id": self.db}
"""


@pytest.fixture
def journal(monkeypatch, tmp_path):
    """The module of the process in which the plugin writes down what happens, in a project with it."""
    module = ModuleType("journal")
    module.events, module.go = [], asyncio.Event()
    module.go.set()
    monkeypatch.setitem(sys.modules, "journal", module)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.binpb").write_bytes(make_set())
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "orders.py").write_text(PLUGIN)
    return module


def write(name, text):
    Path(name).write_text(text)


class Host:
    """An ASGI host that runs a lifespan."""

    def __init__(self, app):
        self.app = app
        self.asked, self.said = asyncio.Queue(), asyncio.Queue()
        self.task = asyncio.create_task(app({"type": "lifespan"}, self.asked.get, self.said.put))

    async def run(self, event):
        await self.asked.put({"type": event})
        saying = asyncio.ensure_future(self.said.get())
        await asyncio.wait([saying, self.task], return_when=asyncio.FIRST_COMPLETED)
        return saying.result() if saying.done() else saying.cancel()


def fallback(journal, *, answers=("complete", "complete"), fault=None):
    async def app(scope, receive, send):
        assert scope["type"] == "lifespan"
        if fault:
            raise fault
        for answer in answers:
            message = await receive()
            journal.events.append(message["type"])
            await send({"type": f"{message['type']}.{answer}"})

    return app


async def post(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        return (await http.post("/shop.v1.Orders/GetOrder", json={})).json()


async def test_resources_are_there_from_startup_to_shutdown(journal):
    app = load(["shop.binpb"], ["plugins"])
    assert journal.events == []
    host = Host(app)
    assert await host.run("lifespan.startup") == {"type": "lifespan.startup.complete"}
    assert journal.events == ["up"]
    assert await post(app) == {"id": "db"}
    assert await host.run("lifespan.shutdown") == {"type": "lifespan.shutdown.complete"}
    assert journal.events == ["up", "down"]
    await host.task


async def test_they_are_round_the_lifespan_of_the_application_behind(journal):
    app = load(["shop.binpb"], ["plugins"]).wrap(fallback(journal))
    host = Host(app)
    for event in ("lifespan.startup", "lifespan.shutdown"):
        assert await host.run(event) == {"type": f"{event}.complete"}
    assert journal.events == ["up", "lifespan.startup", "lifespan.shutdown", "down"]


ENDS = [
    pytest.param(("failed",), ["lifespan.startup"], id="its startup fails"),
    pytest.param(("complete", "failed"), ["lifespan.startup", "lifespan.shutdown"], id="its shutdown fails"),
]


@pytest.mark.parametrize(("answers", "events"), ENDS)
async def test_they_end_however_the_application_behind_does(journal, answers, events):
    host = Host(load(["shop.binpb"], ["plugins"]).wrap(fallback(journal, answers=answers)))
    for event, answer in zip(events, answers, strict=True):
        assert await host.run(event) == {"type": f"{event}.{answer}"}
    assert journal.events == ["up", *events, "down"]


async def test_a_failure_is_said_at_startup_and_the_application_behind_is_not_begun(journal):
    broken = PLUGIN.replace('journal.events.append("up")', "1 / 0")
    write("plugins/orders.py", broken)
    host = Host(load(["shop.binpb"], ["plugins"]).wrap(fallback(journal)))
    said = await host.run("lifespan.startup")
    assert said["type"] == "lifespan.startup.failed"
    assert said["message"].startswith("plugins/orders.py:7: ZeroDivisionError: division by zero")
    assert journal.events == []
    await host.task


async def test_without_a_lifespan_the_first_call_opens_and_others_wait(journal):
    app = load(["shop.binpb"], ["plugins"])
    journal.go.clear()
    calls = [asyncio.create_task(post(app)) for _ in range(5)]
    while len(asyncio.all_tasks()) < 7:  # noqa: ASYNC110  no event tells that all of them wait
        await asyncio.sleep(0)
    calls[0].cancel()
    journal.go.set()
    assert await asyncio.gather(*calls[1:]) == [{"id": "db"}] * 4
    assert journal.events == ["up"]
    await app.generations.aclose()
    assert journal.events == ["up", "down"]


async def test_an_application_behind_that_knows_no_lifespan_leaves_the_calls_to_open(journal):
    app = load(["shop.binpb"], ["plugins"]).wrap(fallback(journal, fault=TypeError("only http")))
    host = Host(app)
    await host.run("lifespan.startup")
    with pytest.raises(TypeError, match="only http"):
        await host.task
    assert await post(app) == {"id": "db"}
    await app.generations.aclose()


async def test_without_a_lifespan_a_failure_is_the_hosts_to_log(journal):
    broken = PLUGIN.replace('journal.events.append("up")', "1 / 0")
    write("plugins/orders.py", broken)
    app = load(["shop.binpb"], ["plugins"])
    for _ in range(2):
        with pytest.raises(FindingsError, match=r"plugins/orders\.py:7: ZeroDivisionError"):
            await post(app)


def test_plugins_without_resources_are_opened_by_load(journal):
    write(
        "plugins/orders.py",
        "from dynconnect import service\n@service('shop.v1.Orders')\n"
        "class Orders:\n  def __init__(self, settings): self.settings = settings['a']",
    )
    with pytest.raises(FindingsError, match=r"plugins/orders\.py:4: KeyError"):
        load(["shop.binpb"], ["plugins"])
    write("other.toml", "[plugins.orders]\na = 1")
    server = load(["shop.binpb"], ["plugins"], config="other.toml")
    assert isinstance(server, Server)
    assert server.generations.current.number == 1
    server.generations.current.close()
