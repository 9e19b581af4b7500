"""The client against our own server, in memory and over HTTP: each protocol, codec and shape."""

from __future__ import annotations

import asyncio
import itertools
import logging

import pytest
from support import schema
from support.schema import note
from support.serving import serving

from dynconnect.client import Client
from dynconnect.client.memory import MemoryTransport
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.server.asgi import Server
from dynconnect.wire.compression import available

NOTES = schema.SERVICE
PROTOCOLS = ("connect", "grpc", "grpcweb")
CODECS = ("proto", "json")
every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


async def echo(request, ctx):
    for name, value in ctx.request_headers.allitems():
        if name.startswith("x-"):
            ctx.response_headers.add(name, value)
            ctx.response_trailers.add(f"{name}-tail", value)
    ctx.response_headers["x-method"] = ctx.http_method
    ctx.response_headers["x-packed"] = ctx.request_headers.get("content-encoding", "") or (
        ctx.request_headers.get("grpc-encoding", "")
    )
    return request


async def fail(request, ctx):
    ctx.response_trailers["x-tail"] = "1"
    raise ConnectError(Code.NOT_FOUND, request.text, [note("why")])


async def count(request, ctx):
    for number in range(request.number):
        yield {"number": number}
    if request.text:
        raise ConnectError(Code.ABORTED, request.text)


async def total(requests, ctx):
    return {"number": sum([request.number async for request in requests])}


async def chat(requests, ctx):
    async for request in requests:
        yield {"text": request.text.upper()}


HANDLERS = {"Echo": echo, "Look": echo, "Fail": fail, "Count": count, "Sum": total, "Chat": chat}


@pytest.fixture(scope="module")
def app():
    return Server(schema.generation(HANDLERS))


@pytest.fixture(params=["memory", "http"])
async def made(request, app):
    """Makes clients of *app*."""
    if request.param == "memory":
        yield lambda **options: Client(MemoryTransport(app), **{"schema": schema.schema(), **options})
        return
    async with serving(app) as url:
        yield lambda **options: Client(url, **{"schema": schema.schema(), "http": "2", **options})


@pytest.mark.parametrize(("protocol", "codec"), [*itertools.product(PROTOCOLS, CODECS)])
async def test_each_shape_is_answered(made, protocol, codec):
    async with made(protocol=protocol, codec=codec) as client:
        assert (await client.call(f"{NOTES}/Echo", {"text": "hi"})).text == "hi"
        assert (await client.call(f"{NOTES}/Echo", note("hi", number=3))).number == 3
        counted = await client.stream(f"{NOTES}/Count", {"number": 3})
        assert [response.number async for response in counted] == [0, 1, 2]
        assert (await client.call(f"{NOTES}/Sum", [{"number": 1}, {"number": 2}])).number == 3
        assert (await client.call(f"{NOTES}/Sum")).number == 0
        answers = await client.stream(f"{NOTES}/Chat", [{"text": "a"}, {"text": "b"}])
        assert [response.text async for response in answers] == ["A", "B"]


@every_protocol
async def test_both_directions_flow_at_once(made, protocol):
    said = asyncio.Queue()

    async def requests():
        while (text := await said.get()) is not None:
            yield {"text": text}

    async with made(protocol=protocol) as client, await client.stream(f"{NOTES}/Chat", requests()) as call:
        for text in ("one", "two", "three"):
            said.put_nowait(text)
            assert (await anext(call)).text == text.upper()
        said.put_nowait(None)
        assert [response async for response in call] == []


@every_protocol
async def test_metadata_goes_both_ways(made, protocol):
    async with made(protocol=protocol, metadata={"x-all": "1"}) as client:
        call = await client.stream(f"{NOTES}/Echo", {}, metadata=[("x-one", "2"), ("x-one", "3")])
        await call.single()
        assert call.response_headers.getall("x-all") == ["1"]
        assert call.response_headers.getall("x-one") == ["2", "3"]
        assert ", ".join(call.response_trailers.getall("x-one-tail")) == "2, 3", "gRPC-Web joins them"


@every_protocol
async def test_an_error_has_its_code_message_details_and_trailers(made, protocol):
    async with made(protocol=protocol) as client:
        call = await client.stream(f"{NOTES}/Fail", {"text": "no grüße"})
        with pytest.raises(ConnectError) as raised:
            await call.single()
    assert (raised.value.code, raised.value.message) == (Code.NOT_FOUND, "no grüße")
    (detail,) = raised.value.details
    assert (detail.type, schema.unpacked(detail.value).text) == ("test.v1.Note", "why")
    assert detail.debug == {"text": "why"}, "also where the protocol has no words for people"
    assert call.response_trailers["x-tail"] == "1"


@every_protocol
async def test_a_stream_that_fails_gives_what_came_before(made, protocol):
    async with made(protocol=protocol) as client:
        call = await client.stream(f"{NOTES}/Count", {"number": 2, "text": "enough"})
        assert [(await anext(call)).number for _ in range(2)] == [0, 1]
        with pytest.raises(ConnectError, match="enough"):
            await anext(call)


@pytest.mark.parametrize(("protocol", "name"), [*itertools.product(PROTOCOLS, available())])
async def test_requests_and_responses_are_packed(made, protocol, name):
    async with made(protocol=protocol, compress=name) as client:
        call = await client.stream(f"{NOTES}/Echo", {"text": "long" * 500})
        assert (await call.single()).text == "long" * 500
        assert call.response_headers["x-packed"] == name


async def test_methods_without_side_effects_may_be_asked_by_get(made):
    async with made(get=True) as client:
        look = await client.stream(f"{NOTES}/Look", {"text": "hi"})
        assert (await look.single()).text == "hi"
        assert look.response_headers["x-method"] == "GET"
        echoed = await client.stream(f"{NOTES}/Echo", {"text": "hi"})
        await echoed.single()
        assert echoed.response_headers["x-method"] == "POST"


@every_protocol
async def test_a_deadline_is_kept_by_the_client_too(protocol):
    async def wait(_request, _ctx):
        await asyncio.Event().wait()

    app = Server(schema.generation({"Echo": wait}))
    async with Client(MemoryTransport(app), schema=schema.schema(), protocol=protocol) as client:
        with pytest.raises(ConnectError) as raised:
            await client.call(f"{NOTES}/Echo", {}, timeout=0.02)
    assert raised.value.code is Code.DEADLINE_EXCEEDED


@every_protocol
async def test_a_call_that_is_cancelled_is_over_for_the_server_too(protocol):
    begun, gone = asyncio.Event(), asyncio.Event()

    async def wait(_request, _ctx):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()

    app = Server(schema.generation({"Echo": wait}))
    async with (
        serving(app) as url,
        Client(url, schema=schema.schema(), protocol=protocol, http="2") as client,
    ):
        task = asyncio.ensure_future(client.call(f"{NOTES}/Echo", {}))
        async with asyncio.timeout(10):
            await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            await gone.wait()


@every_protocol
async def test_a_response_above_the_limit_is_refused(made, protocol):
    async with made(protocol=protocol, limits=Limits(read_max_bytes=100)) as client:
        with pytest.raises(ConnectError) as raised:
            await client.call(f"{NOTES}/Echo", {"text": "x" * 200})
    assert raised.value.code is Code.RESOURCE_EXHAUSTED


@every_protocol
async def test_what_the_maker_of_requests_raises_comes_out(made, protocol, caplog):
    caplog.set_level(logging.CRITICAL)

    async def requests():
        yield {"number": 1}
        raise LookupError("no more")

    async with made(protocol=protocol) as client:
        with pytest.raises(LookupError, match="no more"):
            await client.call(f"{NOTES}/Sum", requests())


async def test_a_misspelt_method_is_answered_with_the_nearest(made):
    async with made() as client:
        with pytest.raises(LookupError, match=r"has no method Ecko; did you mean test\.v1\.Notes/Echo\?"):
            await client.call(f"{NOTES}/Ecko")
        with pytest.raises(
            LookupError, match=r"no service test\.v1\.Note; did you mean test\.v1\.Notes/Echo\?"
        ):
            await client.call("test.v1.Note/Echo")


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"texd": "a"}, "texd"),
        ({"number": "a"}, "number"),
        (3, "dict of its fields"),
        ("a", "dict of its fields"),
    ],
)
async def test_a_request_that_does_not_fit_is_a_type_error(made, request_, text):
    async with made() as client:
        with pytest.raises(TypeError, match=text):
            await client.call(f"{NOTES}/Echo", request_)


async def test_a_stream_is_not_called_as_if_it_had_one_response(made):
    async with made() as client:
        with pytest.raises(TypeError, match="use stream"):
            await client.call(f"{NOTES}/Count", {})


def test_an_unknown_compression_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no compression 'zip': there are gzip"):
        Client("http://localhost", compress="zip")


@every_protocol
async def test_the_server_is_asked_for_its_schema(made, protocol):
    async with made(protocol=protocol, schema=None) as client:
        assert (await client.call(f"{NOTES}/Echo", {"text": "hi"})).text == "hi"
        assert set((await client.schema()).services) == {NOTES}


async def test_a_server_without_reflection_says_so():
    app = Server(schema.generation(HANDLERS), reflect=())
    async with Client(MemoryTransport(app)) as client:
        with pytest.raises(ConnectError, match="no reflection, so name its schema"):
            await client.call(f"{NOTES}/Echo")
