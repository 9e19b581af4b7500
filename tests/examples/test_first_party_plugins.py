"""The plugins in `plugins/`: each alone round a stream, and all of them round an example."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
from contextlib import aclosing, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from dynconnect import Code, ConnectError, Context, Metadata
from dynconnect.live.build import build
from dynconnect.schema.finding import FindingsError

ROOT = Path(__file__).parents[2]
METHOD = SimpleNamespace(name="Get", service_name="shop.v1.Orders", full_name="shop.v1.Orders.Get")


def load(name):
    spec = importlib.util.spec_from_file_location(f"{name}_under_test", ROOT / "plugins" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def context(headers=(), method=METHOD):
    return Context(method, "connect", Metadata(headers))


async def no_requests():
    return
    yield


def answering(*responses, error=None):
    """A stream that gives *responses* and then fails with *error*, if there is one."""

    async def stream(requests, ctx):
        for response in responses:
            yield response
        if error is not None:
            raise error

    return stream


async def collect(stream, ctx):
    async with aclosing(stream(no_requests(), ctx)) as responses:
        return [response async for response in responses]


class Watched:
    """A stream that gives one response, waits for ever, and tells whether it was let go of."""

    def __init__(self):
        self.begun = self.closed = False

    async def __call__(self, requests, ctx):
        self.begun = True
        try:
            yield "one"
            await asyncio.Event().wait()
        finally:
            self.closed = True


@pytest.fixture(params=["access_log", "api_key", "slow_down"])
def interceptor(request, monkeypatch):
    monkeypatch.setenv("API_KEYS", "key")
    return getattr(load(request.param), request.param)


# What holds for all of them


async def test_an_interceptor_hands_on_what_the_stream_gives(interceptor):
    ctx = context({"x-api-key": "key"})
    assert await collect(interceptor(answering()), ctx) == []
    assert await collect(interceptor(answering("one", "two")), ctx) == ["one", "two"]


async def test_an_interceptor_hands_on_requests(interceptor):
    async def echo(requests, ctx):
        async for request in requests:
            yield request

    async def requests():
        yield "one"
        yield "two"

    stream = interceptor(echo)(requests(), context({"x-api-key": "key"}))
    assert [response async for response in stream] == ["one", "two"]


@pytest.mark.parametrize("error", [ConnectError(Code.NOT_FOUND, "no such order"), ValueError("oops")])
async def test_an_interceptor_hands_on_how_the_stream_fails(interceptor, error):
    with pytest.raises(type(error)) as caught:
        await collect(interceptor(answering("one", error=error)), context({"x-api-key": "key"}))
    assert caught.value is error


async def test_an_interceptor_lets_go_of_the_stream_when_the_caller_leaves(interceptor):
    watched = Watched()
    stream = interceptor(watched)(no_requests(), context({"x-api-key": "key"}))
    assert await anext(stream) == "one"
    await stream.aclose()
    assert watched.closed


# access_log


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO)

    def found():
        return [re.sub(r"[\d.]+ ms$", "0 ms", record.getMessage()) for record in caplog.records]

    return found


OUTCOMES = [
    pytest.param(answering("one"), "ok 1 response", id="one response"),
    pytest.param(answering("one", "two"), "ok 2 responses", id="two"),
    pytest.param(answering(), "ok 0 responses", id="none"),
    pytest.param(answering(error=ConnectError(Code.NOT_FOUND)), "not_found 0 responses", id="an error"),
    pytest.param(answering("one", error=ValueError()), "unknown 1 response", id="a failure after a response"),
]


@pytest.mark.parametrize(("stream", "outcome"), OUTCOMES)
async def test_access_log_tells_the_outcome_once_it_is_known(lines, stream, outcome):
    ctx = context()
    with suppress(ConnectError, ValueError):
        await collect(load("access_log").access_log(stream), ctx)
    assert lines() == [f"[Get {ctx.id}] connect shop.v1.Orders.Get {outcome} 0 ms"]


async def test_access_log_tells_of_a_caller_that_left(lines):
    stream = load("access_log").access_log(Watched())(no_requests(), context())
    await anext(stream)
    assert lines() == []
    await stream.aclose()
    assert lines()[0].endswith("canceled 1 response 0 ms")


async def test_access_log_tells_a_missed_deadline_from_a_caller_that_left(lines):
    ctx = context()
    ctx.start_deadline(0.01)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await collect(load("access_log").access_log(Watched()), ctx)
    assert lines()[0].endswith("deadline_exceeded 1 response 0 ms")


# api_key


@pytest.fixture
def api_key(monkeypatch):
    monkeypatch.setenv("API_KEYS", "first, second,")
    return load("api_key").api_key


@pytest.mark.parametrize("key", ["first", "second"])
async def test_api_key_lets_in_whoever_has_one(api_key, key):
    assert await collect(api_key(answering("one")), context({"X-Api-Key": key})) == ["one"]


@pytest.mark.parametrize(
    "headers", [{}, {"x-api-key": ""}, {"x-api-key": "firs"}, {"x-api-key": "first,"}, {"x-api-key": "\xfc"}]
)
async def test_api_key_refuses_everybody_else_before_the_handler_runs(api_key, headers):
    watched = Watched()
    with pytest.raises(ConnectError) as caught:
        await collect(api_key(watched), context(headers))
    assert caught.value.code is Code.UNAUTHENTICATED
    assert "x-api-key" in caught.value.message
    assert "first" not in caught.value.message
    assert not watched.begun


async def test_api_key_lets_health_checks_in(api_key):
    health = SimpleNamespace(
        name="Check", service_name="grpc.health.v1.Health", full_name="grpc.health.v1.Health.Check"
    )
    assert await collect(api_key(answering("serving")), context(method=health)) == ["serving"]


@pytest.mark.parametrize("keys", [None, "", " , "])
def test_api_key_does_not_load_without_keys(monkeypatch, keys):
    if keys is None:
        monkeypatch.delenv("API_KEYS", raising=False)
    else:
        monkeypatch.setenv("API_KEYS", keys)
    with pytest.raises(FindingsError, match=r"api_key\.py:\d+: .*API_KEYS is empty: set it"):
        build([str(ROOT / "examples/eliza/eliza.binpb")], [str(ROOT / "plugins/api_key.py")])


# slow_down


@pytest.fixture
def slept(monkeypatch):
    """How long each sleep was to take; none takes any time."""
    found = []

    async def sleep(seconds):
        found.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return found


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, []),
        ({"x-slow-down-ms": "0"}, []),
        ({"x-slow-down-ms": "1500"}, [1.5, 1.5]),
        ({"x-slow-down-ms": "60000"}, [60.0, 60.0]),
    ],
)
async def test_slow_down_waits_before_each_response_for_as_long_as_it_is_asked(slept, headers, expected):
    assert await collect(load("slow_down").slow_down(answering("one", "two")), context(headers)) == [
        "one",
        "two",
    ]
    assert slept == expected


@pytest.mark.parametrize("value", ["", "fast", "-1", "1.5", "60001", "1" * 5000, "\u0661"])
async def test_slow_down_refuses_what_is_no_time(value):
    with pytest.raises(ConnectError, match="x-slow-down-ms") as caught:
        await collect(load("slow_down").slow_down(answering("one")), context({"x-slow-down-ms": value}))
    assert caught.value.code is Code.INVALID_ARGUMENT


# All of them at once, as a server loads them


async def test_they_load_together_in_the_order_in_which_they_are_named(monkeypatch, lines):
    monkeypatch.setenv("API_KEYS", "key")
    paths = [ROOT / "plugins/access_log.py", ROOT / "plugins", ROOT / "examples/eliza/plugins"]
    generation = build([str(ROOT / "examples/eliza/eliza.binpb")], list(map(str, paths)))
    try:
        assert len(generation.interceptors) == 3
        route = generation.routes["/connectrpc.eliza.v1.ElizaService/Introduce"]

        async def requests():
            yield route.method.input(name="Ada")

        with pytest.raises(ConnectError):
            await collect(route.stream, context(method=route.method))
        ctx = context({"x-api-key": "key"}, route.method)
        async with aclosing(route.stream(requests(), ctx)) as responses:
            sentences = [response.sentence async for response in responses]
        assert sentences[0] == "Hello, Ada. I am Eliza."
    finally:
        generation.close()
    assert [line.split()[4] for line in lines() if line.startswith("[Introduce")] == ["unauthenticated", "ok"]
