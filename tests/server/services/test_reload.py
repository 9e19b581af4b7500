"""A stream of reflection and a watch that are open while everything is reloaded, again and again."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from support.dialects import DIALECTS
from support.protoc import compile_set
from support.reloading import reloading
from support.system import REFLECT, WATCH, SystemCall

from dynconnect.live.news import Swapped

GRPC = next(each for each in DIALECTS if each.name == "grpc")
HEAD = 'syntax = "proto3"; package notes.v1; message Note {} '
REST = "service Rest { rpc Stay(Note) returns (Note); } "
WITH, WITHOUT = (
    compile_set({"notes/v1/notes.proto": HEAD + rest})
    for rest in ("service Notes { rpc Echo(Note) returns (Note); } " + REST, REST)
)
PLUGIN = """\
from dynconnect import rpc

@rpc("notes.v1.Rest/Stay")
async def stay(request, ctx):
    return request
"""
ECHO = """
@rpc("notes.v1.Notes/Echo")
async def echo(request, ctx):
    return request
"""
RELOADS = 200


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Writes the next edition: now with the service and its handler, now without both."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    editions = itertools.cycle([(WITH, PLUGIN + ECHO), (WITHOUT, PLUGIN)])

    def write():
        schema, plugin = next(editions)
        (tmp_path / "api.binpb").write_bytes(schema)
        (tmp_path / "plugins" / "notes.py").write_text(plugin)

    write()
    return write


async def test_both_go_on_over_two_hundred_reloads(edit):
    async with reloading("api.binpb", watch=False) as live:
        watch = SystemCall(live.server, GRPC, WATCH).send(service="notes.v1.Notes").end().start()
        reflected = SystemCall(live.server, GRPC, REFLECT[0]).start()
        assert (await watch.next()).status == 1
        for number in range(RELOADS):
            edit()
            live.reloader.request()
            await live.next(Swapped)
            assert (await watch.next()).status == (1 if number % 2 else 3)  # it comes and goes
            reflected.send(file_containing_symbol="notes.v1.Notes.Echo")
            (data,) = (await reflected.next()).file_descriptor_response.file_descriptor_proto
            assert [service.name for service in FileDescriptorProto.FromString(data).service] == [
                "Notes",
                "Rest",
            ]
            fresh = SystemCall(live.server, GRPC, REFLECT[1]).send(list_services="").end().start()
            (answer,) = fresh.messages(await fresh.outcome())
            names = [service.name for service in answer.list_services_response.service]
            assert ("notes.v1.Notes" in names) == (number % 2 == 1)
        assert live.server.generations.current.number == RELOADS + 1
        assert [old.number for old in live.server.generations.draining] == [1]
        assert (await reflected.end().outcome()).code == "ok"
        watch.request.disconnect()
        await asyncio.wait([watch.request.task])
        assert live.server.generations.draining == ()
        assert len(watch.request.pieces) == RELOADS + 1
