"""The ``h2`` library as the client: it checks all that we say, and each exchange also goes byte by byte."""

import asyncio

import h2.config
import h2.connection
import h2.events
import pytest
from h2.settings import SettingCodes, Settings
from hypothesis import given, settings
from hypothesis import strategies as st

from dynconnect.server.http2 import Connection

from .apps import echo, grpc_echo, hello
from .peer import Transport

REQUEST = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "test")]


class Client:
    """h2 on one side, our connection on the other, joined in memory by pieces of *step* bytes."""

    def __init__(self, app, step=None, window=65535):
        self.step, self.changed, self.eof = step, asyncio.Event(), False
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding=None)
        )
        self.h2.local_settings = Settings(initial_values={SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.bodies, self.heads, self.trailers, self.ended = {}, {}, {}, set()
        self.connection = Connection(app, asyncio.get_running_loop())
        self.connection.connection_made(Transport(self))
        self.h2.initiate_connection()

    def flush(self):
        data = self.h2.data_to_send()
        for at in range(0, len(data), self.step or len(data) or 1):
            self.connection.data_received(data[at : at + (self.step or len(data))])

    def take(self, data):
        for at in range(0, len(data), self.step or len(data)):
            for event in self.h2.receive_data(data[at : at + (self.step or len(data))]):
                self.on(event)
        self.changed.set()

    def on(self, event):
        match event:
            case h2.events.ResponseReceived():
                self.heads[event.stream_id] = dict(event.headers)
            case h2.events.DataReceived():
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                if event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.TrailersReceived():
                self.trailers[event.stream_id] = dict(event.headers)
            case h2.events.StreamEnded():
                self.ended.add(event.stream_id)
            case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                raise AssertionError(event)

    async def until(self, condition):
        async with asyncio.timeout(10):
            while True:
                self.flush()
                if condition():
                    return
                self.changed.clear()
                await self.changed.wait()

    async def post(self, stream, body):
        """Sends a request as far as the windows allow, again and again until all is sent."""
        self.h2.send_headers(stream, REQUEST)
        sent = 0
        while sent < len(body):
            size = min(
                self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body) - sent
            )
            if size:
                self.h2.send_data(stream, body[sent : sent + size])
                sent += size
                self.flush()
            else:
                await self.until(lambda: self.h2.local_flow_control_window(stream))
        self.h2.end_stream(stream)

    async def lose(self):
        self.connection.connection_lost(None)
        await self.connection.wait_closed()


@pytest.mark.parametrize("step", [None, 1, 7])
@pytest.mark.parametrize("window", [65535, 1000])
async def test_bodies_of_all_sizes_come_back(step, window):
    client = Client(echo, step, window)
    sizes = {1: 0, 3: 1, 5: 16384, 7: 16385, 9: 70000}
    for stream, size in sizes.items():
        await client.post(stream, bytes(size))
    await client.until(lambda: client.ended == set(sizes))
    assert {stream: len(client.bodies.get(stream, b"")) for stream in sizes} == sizes
    await client.lose()


@pytest.mark.parametrize("step", [None, 1])
async def test_grpc_shaped_answers_have_head_body_and_trailers(step):
    client = Client(grpc_echo, step)
    for stream in (1, 3):
        await client.post(stream, b"\0\0\0\0\2hi")
    await client.until(lambda: client.ended == {1, 3})
    assert client.heads[1].pop(b"date").endswith(b" GMT")
    assert client.heads[1] == {b":status": b"200", b"content-type": b"application/grpc"}
    assert client.bodies == {1: b"\0\0\0\0\2hi", 3: b"\0\0\0\0\2hi"}
    assert client.trailers == {stream: {b"grpc-status": b"0"} for stream in (1, 3)}
    await client.lose()


@pytest.mark.parametrize("size", [0, 4096, 100])
async def test_a_client_may_shrink_its_header_table(size):
    client = Client(hello)
    client.h2.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})
    for stream in (1, 3, 5):
        await client.post(stream, b"x")
        await client.until(lambda n=stream: n in client.ended)
    assert [client.heads[stream][b":status"] for stream in (1, 3, 5)] == [b"200"] * 3
    await client.lose()


async def test_two_thousand_calls_with_a_hundred_streams_open():
    client = Client(echo)
    kept = range(1, 200, 2)
    for stream in kept:
        client.h2.send_headers(stream, REQUEST)
    for stream in range(201, 4201, 2):
        await client.post(stream, b"x")
        await client.until(lambda n=stream: n in client.ended)
    for stream in kept:
        client.h2.end_stream(stream)
    await client.until(lambda: len(client.ended) == 2100)
    assert {answer[b":status"] for answer in client.heads.values()} == {b"200"}
    assert all(client.bodies[stream] == b"x" for stream in range(201, 4201, 2))
    await client.lose()


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.binary(max_size=300), st.booleans()), min_size=1, max_size=8),
    st.integers(1, 400),
    st.integers(1, 300),
)
def test_whatever_is_sent_comes_back_however_it_is_cut(bodies, step, window):
    async def run():
        client = Client(echo, step, window)
        for number, (body, wait) in enumerate(bodies):
            await client.post(2 * number + 1, body)
            if wait:
                await client.until(lambda n=2 * number + 1: n in client.ended)
        await client.until(lambda: len(client.ended) == len(bodies))
        assert [client.bodies.get(2 * n + 1, b"") for n in range(len(bodies))] == [body for body, _ in bodies]
        await client.lose()

    asyncio.run(run())
