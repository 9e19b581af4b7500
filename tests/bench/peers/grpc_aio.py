"""grpc.aio: ``python grpc_aio.py PORT``."""

from __future__ import annotations

import asyncio
import sys

import grpc.aio
from messages import REPEATED, SERVICE, note_class


async def echo(request, _context):
    return request


async def repeat(request, _context):
    for _ in range(REPEATED):
        yield request


async def last(requests, _context):
    async for request in requests:
        found = request
    return found


async def main(port):
    note = note_class()
    coded = {"request_deserializer": note.FromString, "response_serializer": note.SerializeToString}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                SERVICE,
                {
                    "Echo": grpc.unary_unary_rpc_method_handler(echo, **coded),
                    "Repeat": grpc.unary_stream_rpc_method_handler(repeat, **coded),
                    "Last": grpc.stream_unary_rpc_method_handler(last, **coded),
                },
            ),
        )
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
