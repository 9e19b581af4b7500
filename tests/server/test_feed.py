"""What watchers of a server hear, and what it costs when they are slow or gone."""

from __future__ import annotations

import asyncio

from support import schema
from support.asgi import Request, http_scope
from support.handlers import HANDLERS

from dynconnect.live.news import Refused, Unchanged
from dynconnect.schema.finding import Finding
from dynconnect.server.asgi import Server
from dynconnect.server.feed import BEHIND_MAX, CALLS_MAX, Feed


async def heard(watcher):
    async with asyncio.timeout(30):
        return await watcher.events()


async def called(server, path="/test.v1.Notes/Echo", data=b'{"text": "a"}', **headers):
    scope = http_scope(path, headers={"content-type": "application/json", **headers})
    return await Request(server, scope).end(data).run()


async def test_each_call_is_told_once_it_has_ended():
    server = Server(schema.generation(HANDLERS, number=3), feed=Feed())
    watcher = server.feed.watch()
    assert await heard(watcher) == [("calls", {"calls": []})]
    await called(server)
    ((kind, call),) = await heard(watcher)
    assert (kind, call["method"], call["protocol"]) == ("call", "test.v1.Notes/Echo", "connect")
    assert (call["code"], call["generation"]) == ("ok", 3)
    assert call["milliseconds"] >= 0
    await called(server, "/test.v1.Notes/Fail")
    ((_, call),) = await heard(watcher)
    assert call["code"] != "ok"


async def test_a_call_that_is_given_up_is_told_as_canceled():
    started, feed = asyncio.Event(), Feed()

    async def wait(request, ctx):
        started.set()
        await asyncio.Event().wait()

    server = Server(schema.generation({"Echo": wait}), feed=feed)
    scope = http_scope("/test.v1.Notes/Echo", headers={"content-type": "application/json"})
    request = Request(server, scope)
    request.end(b"{}").start()
    await started.wait()
    request.disconnect()
    await request.task
    ((_, said),) = await heard(feed.watch())
    assert [call["code"] for call in said["calls"]] == ["canceled"]


async def test_whoever_comes_late_hears_of_the_last_calls():
    server = Server(schema.generation(HANDLERS), feed=Feed())
    for _ in range(CALLS_MAX + 5):
        await called(server)
    ((kind, said),) = await heard(server.feed.watch())
    assert (kind, len(said["calls"])) == ("calls", CALLS_MAX)


async def test_who_is_too_slow_misses_something_and_hears_how_much():
    feed = Feed()
    watcher, other = feed.watch(), feed.watch()
    for number in range(BEHIND_MAX + 9):
        feed.swapped(number)
    events = await heard(watcher)
    assert len(events) == BEHIND_MAX + 1
    assert events[-1] == ("missed", {"count": 10})  # the calls at the beginning count too
    feed.swapped(1)
    assert await heard(watcher) == [("generation", {"number": 1})]
    assert len(await heard(other)) == BEHIND_MAX + 1


async def test_a_swap_is_told():
    server = Server(schema.generation(HANDLERS), feed=Feed())
    watcher = server.feed.watch()
    server.generations.swap(schema.generation(HANDLERS, number=2))
    assert (await heard(watcher))[1:] == [("generation", {"number": 2})]


async def test_news_are_told_as_they_come():
    feed = Feed()
    watcher = feed.watch()
    feed.tell(Refused(1, (Finding("a.py:1", "wrong"),)))
    feed.tell(Unchanged(1, ("b.py",)))
    assert (await heard(watcher))[1:] == [
        (
            "news",
            {
                "kind": "refused",
                "serving": 1,
                "findings": ({"where": "a.py:1", "what": "wrong", "hint": ""},),
            },
        ),
        ("news", {"kind": "unchanged", "serving": 1, "saved": ("b.py",)}),
    ]


async def test_the_end_of_the_server_lets_all_watchers_go():
    server = Server(schema.generation(HANDLERS), feed=Feed())
    watcher = server.feed.watch()
    await heard(watcher)
    waiting = asyncio.create_task(heard(watcher))
    await asyncio.sleep(0)
    server.stop(60)
    assert await waiting == ()
    assert server.feed.watch() is None
    assert server.feed.watchers == 0
