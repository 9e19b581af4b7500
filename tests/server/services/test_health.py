"""H1 to H6, by all three protocols."""

from __future__ import annotations

import asyncio

import pytest
from support import schema
from support.calls import serve
from support.dialects import DIALECTS
from support.handlers import HANDLERS
from support.system import CHECK, LIST, WATCH, SystemCall, unary, unary_json

from dynconnect.live.generation import Generation
from dynconnect.live.state import State
from dynconnect.server.asgi import Server

UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN = range(4)
NOTES = schema.SERVICE

every_protocol = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda each: each.name)
GRPC = next(each for each in DIALECTS if each.name == "grpc")


def without_service(number=2):
    """A generation whose schema has no service."""
    from support.shop import make_schema

    empty = make_schema('syntax = "proto3"; package empty; message Empty {}')
    return Generation(number, f"hash {number}", empty, {})


@every_protocol
@pytest.mark.parametrize(
    "service", ["", NOTES, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]
)
async def test_h1_known_services_have_a_status(dialect, service):
    outcome, found = await unary(serve(), dialect, CHECK, service=service)
    assert (outcome.code, found.status) == ("ok", SERVING)


@every_protocol
async def test_h1_an_unknown_service_is_an_error(dialect):
    outcome, found = await unary(serve(), dialect, CHECK, service="test.v1.Nothing")
    assert (outcome.code, outcome.message, found) == (
        "not_found",
        "there is no service test.v1.Nothing",
        None,
    )


async def test_h1_what_is_not_reflected_has_no_health():
    outcome, _ = await unary(serve(reflect=()), GRPC, CHECK, service="grpc.reflection.v1.ServerReflection")
    assert outcome.code == "not_found"


async def test_h6_it_needs_nothing_but_json():
    assert await unary_json(serve(), CHECK, {}) == (200, {"status": "SERVING"})
    status, body = await unary_json(serve(), CHECK, {"service": "x"})
    assert (status, body["code"]) == (404, "not_found")


@pytest.mark.parametrize(("dev", "status"), [(False, NOT_SERVING), (True, SERVING)])
async def test_a_service_without_any_handler_does_not_serve_unless_it_is_being_written(dev, status):
    app = serve({}, dev=dev)
    assert (await unary(app, GRPC, CHECK, service=NOTES))[1].status == status
    assert (await unary(app, GRPC, CHECK))[1].status == SERVING


async def test_one_handler_is_enough():
    _, found = await unary(serve({"Echo": HANDLERS["Echo"]}), GRPC, CHECK, service=NOTES)
    assert found.status == SERVING


@every_protocol
async def test_h4_all_names_are_listed(dialect):
    _, found = await unary(serve({}), dialect, LIST)
    assert {name: one.status for name, one in found.statuses.items()} == {
        "": SERVING,
        NOTES: NOT_SERVING,
        "grpc.health.v1.Health": SERVING,
        "grpc.reflection.v1.ServerReflection": SERVING,
        "grpc.reflection.v1alpha.ServerReflection": SERVING,
    }


async def test_no_interceptor_stands_before_it():
    async def refuse(requests, ctx):
        raise RuntimeError("nobody may")
        yield

    app = Server(schema.generation(HANDLERS, lambda _stream: refuse))
    assert (await unary(app, GRPC, CHECK))[1].status == SERVING


# --- Watch --------------------------------------------------------------------------------------------------


@every_protocol
async def test_h3_a_watch_tells_each_change_and_no_repeat(dialect):
    app = serve()
    watch = SystemCall(app, dialect, WATCH).send(service=NOTES).end().start()
    assert (await watch.next()).status == SERVING
    app.generations.swap(schema.generation(HANDLERS, number=2))
    app.generations.swap(without_service(3))
    assert (await watch.next()).status == SERVICE_UNKNOWN
    app.generations.swap(schema.generation({}, number=4))
    assert (await watch.next()).status == NOT_SERVING
    app.generations.swap(schema.generation(HANDLERS, number=5))
    assert (await watch.next()).status == SERVING
    watch.request.disconnect()
    await asyncio.wait([watch.request.task])


@every_protocol
async def test_h3_a_watch_of_an_unknown_service_stays_open_until_it_appears(dialect):
    app = Server(without_service(1))
    watch = SystemCall(app, dialect, WATCH).send(service=NOTES).end().start()
    assert (await watch.next()).status == SERVICE_UNKNOWN
    app.generations.swap(schema.generation(HANDLERS, number=2))
    assert (await watch.next()).status == SERVING
    watch.request.disconnect()
    await asyncio.wait([watch.request.task])


async def test_h3_a_slow_reader_gets_only_the_newest():
    app = serve()
    watch = SystemCall(app, GRPC, WATCH).send(service=NOTES).end()
    watch.request.hold()
    watch.start()
    await watch.request.until(lambda: watch.request.holding)
    for number in range(2, 10):
        app.generations.swap(without_service(number))
        app.generations.swap(schema.generation({}, number=100 + number))
    watch.request.release()
    assert (await watch.next()).status == SERVING
    assert (await watch.next()).status == NOT_SERVING
    watch.request.disconnect()
    await asyncio.wait([watch.request.task])
    assert len(watch.request.pieces) == 2


async def test_a_watch_holds_no_generation():
    app = serve()
    watch = SystemCall(app, GRPC, WATCH).send().end().start()
    await watch.next()
    assert app.generations.running(app.generations.current) == 0
    watch.request.disconnect()
    await asyncio.wait([watch.request.task])


async def test_a_watch_that_ends_waits_for_nothing_more():
    app = serve()
    watch = SystemCall(app, GRPC, WATCH).send().end().start()
    await watch.next()
    watch.request.disconnect()
    await asyncio.wait([watch.request.task])
    assert not app.statuses._waiting


# --- the end ------------------------------------------------------------------------------------------------


@every_protocol
async def test_h5_at_the_end_watchers_are_told_before_their_call_ends(dialect):
    app = serve()
    watch = SystemCall(app, dialect, WATCH).send(service=NOTES).end().start()
    assert (await watch.next()).status == SERVING
    app.stop(60)
    assert (await watch.next()).status == NOT_SERVING
    outcome = await watch.outcome()
    assert (outcome.code, outcome.message) == ("unavailable", "the server stops; call again")


async def test_h5_at_the_end_nothing_serves_whatever_comes():
    app = serve()
    app.stop(60)
    app.generations.swap(schema.generation(HANDLERS, number=2))
    _, found = await unary(app, GRPC, LIST)
    assert {one.status for one in found.statuses.values()} == {NOT_SERVING}
    assert (await unary(app, GRPC, CHECK, service="test.v1.Nothing"))[0].code == "not_found"


# --- what plugins say ---------------------------------------------------------------------------------------


def with_state(state, number=1):
    return Generation(number, f"hash {number}", schema.schema(), schema.routes(HANDLERS), state=state)


async def status_of(app, service=""):
    return (await unary(app, GRPC, CHECK, service=service))[1].status


async def test_a_plugin_sets_the_health_of_a_service_and_of_the_server():
    state = State(services=[NOTES])
    app = Server(with_state(state))
    health = state.provide("a.py", ["health"])["health"]
    health.set(NOTES, serving=False)
    assert (await status_of(app, NOTES), await status_of(app)) == (NOT_SERVING, SERVING)
    health.set(NOTES, serving=True)
    health.set(serving=False)
    assert (await status_of(app, NOTES), await status_of(app)) == (SERVING, NOT_SERVING)


async def test_a_watch_hears_of_it_from_any_thread():
    state = State(services=[NOTES])
    app = Server(with_state(state))
    health = state.provide("a.py", ["health"])["health"]
    watch = SystemCall(app, GRPC, WATCH).send(service=NOTES).end().start()
    assert (await watch.next()).status == SERVING
    await asyncio.to_thread(health.set, NOTES, serving=False)
    assert (await watch.next()).status == NOT_SERVING
    watch.request.disconnect()
    await asyncio.wait([watch.request.task])


async def test_a_new_generation_begins_anew_but_for_what_the_process_has_said():
    first = State(services=[NOTES])
    app = Server(with_state(first))
    first.provide("a.py", ["health"])["health"].set(NOTES, serving=False)
    process = first.provide("a.py", ["health"], process=True)["health"]
    process.set(serving=False)
    app.generations.swap(with_state(State(first, services=[NOTES]), 2))
    assert (await status_of(app, NOTES), await status_of(app)) == (SERVING, NOT_SERVING)
    process.set(serving=True)
    assert await status_of(app) == SERVING
