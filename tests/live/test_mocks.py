"""Methods that nobody has written a handler for, mocked."""

from __future__ import annotations

import pytest
from support.clock import virtual_time
from support.project import PROTO
from support.protoc import compile_set

from dynconnect.client import Client
from dynconnect.client.memory import MemoryTransport
from dynconnect.live.build import prepare
from dynconnect.live.mocks import SOURCE, STREAMED
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.server.asgi import Server

NOTES = "notes.v1.Notes"
PLUGIN = """
from dynconnect import service

@service("notes.v1.Notes"{})
class Notes:
    async def echo(self, request, ctx):
        return {{"text": "handled"}}
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "api.binpb").write_bytes(compile_set({"notes.proto": PROTO}))
    return tmp_path


def served(files, *, mock=True, options=None):
    plugins = []
    if options is not None:
        (files / "notes.py").write_text(PLUGIN.format(options))
        plugins = [str(files / "notes.py")]
    draft = prepare([str(files / "api.binpb")], plugins, mock=mock)
    return Server(draft.open_at_once())


def client(server, protocol="connect"):
    return Client(MemoryTransport(server), schema=server.generations.current.schema, protocol=protocol)


@pytest.mark.parametrize("protocol", ["connect", "grpc", "grpcweb"])
async def test_each_shape_answers_and_says_that_it_is_a_mock(files, protocol):
    with virtual_time():
        async with client(served(files), protocol) as asked:
            one = await asked.stream(f"{NOTES}/Lost", {"text": "mine"})
            answer = await one.single()
            assert (answer.text, answer.star_count > 0) == ("mine", True)
            assert one.response_headers[SOURCE] == "mock"
            many = await asked.stream(f"{NOTES}/Count", {"text": "mine"})
            assert [each.text async for each in many] == ["mine"] * STREAMED
            assert many.response_headers[SOURCE] == "mock"
            summed = await asked.call(f"{NOTES}/Sum", [{"star_count": 3}, {"star_count": 4}])
            assert summed.star_count == 4
            chat = await asked.stream(f"{NOTES}/Chat", [{"text": "a"}, {"text": "b"}])
            assert [each.text async for each in chat] == ["a", "b"]


async def test_the_same_request_has_the_same_answer_and_another_another(files):
    async with client(served(files)) as asked, client(served(files)) as again:
        first, second = [await each.call(f"{NOTES}/Lost", {"text": "a"}) for each in (asked, again)]
        assert first.SerializeToString() == second.SerializeToString()
        others = {(await asked.call(f"{NOTES}/Lost", {"text": text})).star_count for text in "abcdefgh"}
        assert len(others) > 1


async def test_the_messages_of_a_stream_differ_and_have_a_pause_between_them(files):
    with virtual_time() as clock:
        async with client(served(files)) as asked:
            began = clock.now
            counts = [each.star_count async for each in await asked.stream(f"{NOTES}/Count", {})]
            assert len(set(counts)) > 1
            assert clock.now - began == pytest.approx(0.6, abs=0.05)


async def test_a_handler_takes_the_place_of_its_mock(files):
    server = served(files, options="")
    assert server.generations.current.mocked == {
        f"/{NOTES}/{name}" for name in ("Count", "Sum", "Chat", "Lost")
    }
    async with client(server) as asked:
        call = await asked.stream(f"{NOTES}/Echo", {})
        assert (await call.single()).text == "handled"
        assert SOURCE not in call.response_headers
        assert (await asked.stream(f"{NOTES}/Lost", {})).method.name == "Lost"


@pytest.mark.parametrize(("mock", "options"), [(False, ""), (True, ", mock=False")])
async def test_without_mocks_such_a_method_is_unimplemented(files, mock, options):
    server = served(files, mock=mock, options=options)
    assert server.generations.current.mocked == frozenset()
    async with client(server) as asked:
        with pytest.raises(ConnectError) as raised:
            await asked.call(f"{NOTES}/Lost", {})
        assert raised.value.code is Code.UNIMPLEMENTED
