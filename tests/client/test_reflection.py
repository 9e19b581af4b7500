"""Schemas of servers whose reflection does not know all that it lists."""

from __future__ import annotations

import logging

import pytest
from support import schema

from dynconnect.client import Client
from dynconnect.client.memory import MemoryTransport
from dynconnect.live.generation import Generation, Route
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.schema.schema import system
from dynconnect.server.asgi import Server

PATH = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
(FILE,) = [data for name, data in schema.schema().files.items() if name == "test/v1/notes.proto"]


def reflecting(services):
    """A client of a server that lists *services*, or does not, and has a file for one of them."""

    async def info(requests, ctx):
        async for request in requests:
            answer = ctx.method.output(original_request=request)
            if request.HasField("list_services") and services:
                for name in services:
                    answer.list_services_response.service.add(name=name)
            elif request.file_containing_symbol == schema.SERVICE:
                answer.file_descriptor_response.file_descriptor_proto.append(FILE)
            else:
                answer.error_response.error_code = 5
                answer.error_response.error_message = "no such symbol"
            yield answer

    method = system().methods[PATH]
    route = Route.to(info, method, (), system().codecs, bound_by="here")
    return Client(MemoryTransport(Server(Generation(1, "", system(), {PATH: route}), reflect=())))


async def test_a_service_that_reflection_lists_and_does_not_know_is_left_out(caplog):
    with caplog.at_level(logging.WARNING):
        found = await reflecting(["old.v1.Gone", schema.SERVICE]).schema()
    assert list(found.services) == [schema.SERVICE]
    assert "the server lists old.v1.Gone and does not describe it: no such symbol" in caplog.text


async def test_a_server_that_describes_nothing_fails():
    with pytest.raises(ConnectError, match="no such symbol") as caught:
        await reflecting(["old.v1.Gone", "old.v1.More"]).schema()
    assert caught.value.code is Code.NOT_FOUND


async def test_a_server_that_lists_nothing_fails():
    with pytest.raises(ConnectError, match="no such symbol"):
        await reflecting([]).schema()
