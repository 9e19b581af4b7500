"""grpclib: ``python grpclib_server.py PORT``."""

from __future__ import annotations

import sys

import uvloop
from grpclib.const import Cardinality, Handler
from grpclib.server import Server
from messages import REPEATED, SERVICE, note_class


async def echo(stream):
    await stream.send_message(await stream.recv_message())


async def repeat(stream):
    request = await stream.recv_message()
    for _ in range(REPEATED):
        await stream.send_message(request)


async def last(stream):
    async for request in stream:
        found = request
    await stream.send_message(found)


class Bench:
    def __mapping__(self):
        note = note_class()
        return {
            f"/{SERVICE}/Echo": Handler(echo, Cardinality.UNARY_UNARY, note, note),
            f"/{SERVICE}/Repeat": Handler(repeat, Cardinality.UNARY_STREAM, note, note),
            f"/{SERVICE}/Last": Handler(last, Cardinality.STREAM_UNARY, note, note),
        }


async def main(port):
    server = Server([Bench()])
    await server.start("127.0.0.1", int(port))
    await server.wait_closed()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
