"""On real sockets: what the kernel and both loops have a say in."""

import asyncio
import socket

import pytest

from dynconnect.server.http2 import Connection, Limits
from dynconnect.server.http2.frames import GOAWAY, PREFACE

from .apps import answer, hello
from .peer import GET, frame, head, settings, window

try:
    from uvloop import new_event_loop as new_uvloop
except ImportError:
    new_uvloop = None

LOOPS = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(new_uvloop, id="uvloop", marks=pytest.mark.skipif(not new_uvloop, reason="no uvloop")),
]


class Client:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def frame(self):
        start = await self.reader.readexactly(9)
        return start[3], start[4], await self.reader.readexactly(int.from_bytes(start[:3]))

    async def until(self, kind, flag=0):
        """The payload of the first frame of *kind* with *flag*."""
        while True:
            found, flags, payload = await self.frame()
            if found == kind and flags & flag == flag:
                return payload


def run(make_loop, app, play, **limits):
    """Serves *app*, and plays against the address; the server is closed in the end."""

    async def main():
        loop = asyncio.get_running_loop()
        made = []

        def connect():
            made.append(Connection(app, loop, limits=Limits(**limits)))
            return made[-1]

        server = await loop.create_server(connect, "127.0.0.1", 0)
        async with asyncio.timeout(20):
            await play(server.sockets[0].getsockname(), made)
            server.close()
            for connection in made:
                await connection.wait_closed()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())


@pytest.mark.parametrize("make_loop", LOOPS)
def test_a_client_that_does_not_read_holds_little_and_its_neighbour_is_served(make_loop):
    sent = []

    async def app(scope, receive, send):
        if scope["path"] == "/":
            await hello(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": bytes(50_000), "more_body": True})
            sent.append(50_000)

    async def play(address, made):
        with socket.socket() as greedy:
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            greedy.connect(address)
            big = settings(window=2**31 - 1) + window(0, 2**30)
            greedy.sendall(PREFACE + big + head(1, GET | {":path": "/endless"}, end=True))
            client = Client(*await asyncio.open_connection(*address))
            client.writer.write(PREFACE + settings())
            before = -1
            while sum(sent) != before:  # until the kernel's buffers are full
                before = sum(sent)
                for _ in range(20):
                    client.writer.write(frame(6, payload=bytes(8)))
                    await client.until(6)
            client.writer.write(head(1, GET, end=True))
            await client.until(0, 1)
            held = made[0]._output.transport.get_write_buffer_size()
            assert held < 1 << 18
            client.writer.close()
            await client.writer.wait_closed()

    run(make_loop, app, play)


@pytest.mark.parametrize("make_loop", LOOPS)
def test_the_reason_of_the_end_arrives_though_the_client_goes_on_sending(make_loop):
    async def play(address, made):
        client = Client(*await asyncio.open_connection(*address))
        client.writer.write(PREFACE + settings() + frame(6, payload=b"short") + bytes(1 << 20))
        payload = await client.until(GOAWAY)
        assert payload[4:8] == b"\0\0\0\6"
        assert payload[8:] == b"PING is not 8 bytes"
        client.writer.close()

    run(make_loop, hello, play, linger=0.05)


@pytest.mark.parametrize("make_loop", LOOPS)
def test_a_client_that_hangs_up_ends_its_calls(make_loop):
    ended = []

    async def app(scope, receive, send):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(scope["client"])

    async def play(address, made):
        client = Client(*await asyncio.open_connection(*address))
        client.writer.write(PREFACE + settings() + head(1))
        await client.until(4, 1)
        client.writer.transport.abort()
        await made[0].wait_closed()
        assert len(ended) == 1

    run(make_loop, app, play)


@pytest.mark.parametrize("make_loop", LOOPS)
def test_large_answers_arrive_whole(make_loop):
    async def app(scope, receive, send):
        await answer(send, bytes(10_000_000))

    async def play(address, made):
        client = Client(*await asyncio.open_connection(*address))
        client.writer.write(PREFACE + settings(window=2**30) + window(0, 2**30) + head(1, GET, end=True))
        size, ended = 0, False
        while not ended:
            kind, flags, payload = await client.frame()
            if kind == 0:
                size, ended = size + len(payload), flags & 1
        assert size == 10_000_000
        client.writer.close()
        await client.writer.wait_closed()

    run(make_loop, app, play)
