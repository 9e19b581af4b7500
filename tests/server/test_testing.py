"""The server for tests of plugins, and the fixture that makes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.programs import modules_after
from support.project import PROTO
from support.protoc import compile_set

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.schema.finding import FindingsError

NOTES = "notes.v1.Notes"
PLUGIN = """
from dynconnect import resource, service


@resource
async def words(settings):
    raise RuntimeError("no database in a test")
    yield


@resource
async def ending():
    yield "!"


@service("notes.v1.Notes")
class Notes:
    def __init__(self, words, ending):
        self.words, self.ending = words, ending

    async def echo(self, request, ctx):
        return {"text": self.words[request.text] + self.ending}
"""
HEAVY = {"pyqwest", "quart", "orjson", "hypercorn", "uvicorn"}
WORDS = {"words": {"a": "alpha"}}


@pytest.fixture
def files(tmp_path):
    schema, plugin = tmp_path / "api.binpb", tmp_path / "notes.py"
    schema.write_bytes(compile_set({"notes.proto": PROTO}))
    plugin.write_text(PLUGIN)
    return str(schema), str(plugin)


def append(file, text):
    Path(file).write_text(f"{Path(file).read_text()}\n{text}")


@pytest.mark.parametrize("protocol", ["connect", "grpc", "grpcweb"])
async def test_clients_of_each_protocol_call_what_resources_stand_in_for(dynconnect, files, protocol):
    async with dynconnect(*files, resources=WORDS) as server, server.client(protocol) as client:
        assert (await client.call(f"{NOTES}/Echo", {"text": "a"})).text == "alpha!"


async def test_a_reload_serves_the_files_as_they_are(dynconnect, files):
    async with dynconnect(*files, resources=WORDS) as server:
        append(files[1], '    async def lost(self, request, ctx):\n        return {"text": "found"}\n')
        async with server.client() as client:
            with pytest.raises(ConnectError) as raised:
                await client.call(f"{NOTES}/Lost")
            assert raised.value.code is Code.UNIMPLEMENTED
            assert (await server.reload()).number == 2
            assert (await client.call(f"{NOTES}/Lost")).text == "found"


async def test_a_bad_edit_is_refused_and_the_old_generation_goes_on(dynconnect, files):
    async with dynconnect(*files, resources=WORDS) as server:
        append(files[1], "    async def ecko(self, request, ctx): ...\n")
        with pytest.raises(FindingsError, match="ecko"):
            await server.reload()
        async with server.client() as client:
            assert (await client.call(f"{NOTES}/Echo", {"text": "a"})).text == "alpha!"


async def test_a_resource_that_is_not_stood_in_for_is_set_up(dynconnect, files):
    with pytest.raises(FindingsError, match="no database in a test"):
        await dynconnect(*files).__aenter__()


async def test_a_misspelt_resource_is_told_the_nearest(dynconnect, files):
    with pytest.raises(FindingsError) as raised:
        await dynconnect(*files, resources={"word": {}}).__aenter__()
    (finding,) = raised.value.findings
    assert (finding.what, finding.hint) == ("there is no resource word", "did you mean words?")


def test_it_costs_pytest_nothing_where_it_is_not_used():
    assert not HEAVY & modules_after("import dynconnect.server.pytest_plugin")
