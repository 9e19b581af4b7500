from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from support.clock import settle
from support.serving import client, serving

from dynconnect.server.engines import uvicorn_http1
from dynconnect.server.engines.head_writer import HeadTransport, HeadWriter


class Below:
    """What an `asyncio.StreamWriter` is asked for."""

    def __init__(self):
        self.done = []
        self.transport = object()
        self.may_drain = asyncio.Event()
        self.may_drain.set()

    def write(self, data):
        self.done.append(data)

    async def drain(self):
        await self.may_drain.wait()

    def write_eof(self):
        self.done.append("eof")

    def close(self):
        self.done.append("close")


@pytest.fixture
async def below():
    return Below()


HEAD = b"HTTP/1.1 200 \r\n\r\n"


async def test_a_head_goes_out_with_the_body_that_follows(below):
    writer = HeadWriter(below)
    writer.write(HEAD)
    await writer.drain()
    assert below.done == []
    writer.write(b"body")
    assert below.done == [HEAD + b"body"], "and no later: what comes next may take its time"
    await settle()
    assert len(below.done) == 1


async def test_a_head_alone_waits_for_the_end_of_the_turn(below):
    writer = HeadWriter(below)
    writer.write(HEAD)
    await settle()
    assert below.done == [HEAD]


async def test_what_is_no_head_is_written_at_once(below):
    writer = HeadWriter(below)
    writer.write(b"a")
    writer.write(b"b")
    assert below.done == [b"a", b"b"]


async def test_two_heads_in_one_turn_keep_their_order(below):
    writer = HeadWriter(below)
    writer.write(b"HTTP/1.1 103 \r\n\r\n")
    writer.write(HEAD)
    await settle()
    assert b"".join(below.done) == b"HTTP/1.1 103 \r\n\r\n" + HEAD


@pytest.mark.parametrize(("end", "last"), [("write_eof", "eof"), ("close", "close")])
async def test_the_end_comes_after_all_that_was_written(below, end, last):
    writer = HeadWriter(below)
    writer.write(HEAD)
    getattr(writer, end)()
    await settle()
    assert below.done == [HEAD, last]


async def test_who_takes_the_transport_comes_after_all_that_was_written(below):
    writer = HeadWriter(below)
    writer.write(HEAD)
    assert writer.transport is below.transport
    assert below.done == [HEAD]


async def test_a_client_that_does_not_read_is_waited_for(below):
    writer = HeadWriter(below)
    below.may_drain.clear()
    writer.write(b"a")
    draining = asyncio.ensure_future(writer.drain())
    await settle()
    assert not draining.done()
    below.may_drain.set()
    await draining


async def hello(scope, receive, send):
    await receive()
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


async def answers_of(engine):
    async with serving(hello, engine=engine) as url, client(url) as http:
        for _ in range(3):
            assert (await http.get("/")).text == "hello"


def check(written):
    written = [data for data in written if data]  # hypercorn ends a body by writing nothing
    assert len(written) == 3
    assert all(data.startswith(b"HTTP/1.1 200") and data.endswith(b"\r\n\r\nhello") for data in written)


async def test_an_answer_of_hypercorn_is_one_write(monkeypatch):
    written, write = [], asyncio.StreamWriter.write
    monkeypatch.setattr(
        asyncio.StreamWriter, "write", lambda self, data: (written.append(bytes(data)), write(self, data))
    )
    await answers_of("hypercorn")
    check(written)


async def test_an_answer_of_uvicorn_is_one_write(monkeypatch):
    written, made = [], uvicorn_http1.HeadTransport

    class Recording:
        def __init__(self, transport):
            self._transport = transport

        def write(self, data):
            written.append(bytes(data))
            self._transport.write(data)

        def __getattr__(self, name):
            return getattr(self._transport, name)

    monkeypatch.setattr(uvicorn_http1, "HeadTransport", lambda transport: made(Recording(transport)))
    await answers_of("uvicorn")
    check(written)


@pytest.mark.parametrize("end", ["close", "set_protocol"])
async def test_the_end_of_a_transport_comes_after_its_head(end):
    done = []
    below = SimpleNamespace(write=done.append, is_closing=None, pause_reading=None, resume_reading=None)
    below.get_extra_info, below.close, below.set_protocol = None, lambda: done.append("end"), done.append
    transport = HeadTransport(below)
    transport.write(HEAD)
    transport.close() if end == "close" else transport.set_protocol("end")
    await settle()
    assert done == [HEAD, "end"]
