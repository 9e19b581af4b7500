"""A real gRPC client, driven by hand, against a gRPC echo of twenty lines of ASGI."""

import asyncio

import grpc
import grpc.aio
import pytest

from dynconnect.server.http2 import Connection

from .apps import grpc_echo


@pytest.fixture
async def channel():
    loop = asyncio.get_running_loop()
    connections = []

    def connect():
        connections.append(Connection(grpc_echo, loop))
        return connections[-1]

    server = await loop.create_server(connect, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        yield channel
    server.close()
    for connection in connections:
        connection.shutdown(1)
        await connection.wait_closed()
    await server.wait_closed()


async def test_unary_calls_answer(channel):
    call = channel.unary_unary("/echo.Echo/Unary")
    assert await call(b"hello", timeout=10) == b"hello"
    assert await asyncio.gather(*(call(b"%d" % n, timeout=10) for n in range(100))) == [
        b"%d" % n for n in range(100)
    ]


async def test_metadata_and_deadline_arrive_and_large_messages_pass_the_windows(channel):
    body = bytes(range(256)) * 12000
    call = channel.unary_unary("/echo.Echo/Unary")(body, timeout=30, metadata=[("x-key", "value")])
    assert await call == body
    assert await call.code() is grpc.StatusCode.OK


async def test_bidi_answers_each_message_before_the_next_is_sent(channel):
    call = channel.stream_stream("/echo.Echo/Bidi")(timeout=10)
    for number in range(20):
        await call.write(b"%d" % number)
        assert await call.read() == b"%d" % number
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_cancelled_stream_leaves_its_neighbours_alone(channel):
    bidi = channel.stream_stream("/echo.Echo/Bidi")
    kept, cancelled = bidi(timeout=10), bidi(timeout=10)
    await cancelled.write(b"x")
    assert await cancelled.read() == b"x"
    cancelled.cancel()
    await kept.write(b"y")
    assert await kept.read() == b"y"
    await kept.done_writing()
    assert await kept.code() is grpc.StatusCode.OK
