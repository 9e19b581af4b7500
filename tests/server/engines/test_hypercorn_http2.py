"""Taking a connection over from hypercorn: every byte once, and in order."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.events import RawData
from support.clock import settle

from dynconnect.server.engines import hypercorn_http2
from dynconnect.server.engines.hypercorn_http2 import Http2Config


class Transport:
    """A transport whose client goes on sending, whoever reads."""

    def __init__(self, protocol):
        self.protocol, self.reading, self.arrived = protocol, True, []

    def get_protocol(self):
        return self.protocol

    def set_protocol(self, protocol):
        self.protocol = protocol

    def is_reading(self):
        return self.reading

    def is_closing(self):
        return False

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True
        self.deliver()

    def abort(self):
        pass

    def arrive(self, data):
        self.arrived.append(data)
        self.deliver()

    def deliver(self):
        while self.reading and self.arrived:
            self.protocol.data_received(self.arrived.pop(0))


class Recorder:
    """In the place of our HTTP/2 connection: what it was given."""

    def __init__(self, *_, **__):
        self.given, self.closed = b"", asyncio.Event()

    def connection_made(self, transport):
        pass

    def upgrade(self, *_):
        pass

    def data_received(self, data):
        self.given += data

    def shutdown(self, grace):
        pass

    async def wait_closed(self):
        await self.closed.wait()


class TaskGroup:
    def __init__(self):
        self.tasks = []

    def spawn(self, function):
        self.tasks.append(asyncio.ensure_future(function()))


class Shell:
    """What is used of hypercorn's own connection."""

    def __init__(self, unread):
        self.old = SimpleNamespace(connection_lost=lambda exc: None)
        self.transport = Transport(self.old)
        self.writer = SimpleNamespace(transport=self.transport)
        self.reader = SimpleNamespace(_buffer=bytearray(unread))

    async def send(self, event):
        pass


@pytest.fixture
async def take_over(monkeypatch):
    """Takes a connection over of which hypercorn has not read some bytes; gives the shell and our end."""
    monkeypatch.setattr(hypercorn_http2, "Connection", Recorder)
    groups, slots = [], []

    async def take_over(unread, upgrade=None):
        shell, group = Shell(unread), TaskGroup()
        config = Http2Config()
        slot = hypercorn_http2._Slot(
            config.http2_limits,
            ASGIWrapper(None),
            config,
            WorkerContext(None),
            group,
            None,
            False,
            None,
            None,
            shell.send,
        )
        groups.append(group)
        slots.append(slot)
        await slot.initiate(*(upgrade or ()))
        return shell, slot

    yield take_over
    for slot in slots:
        slot._connection.closed.set()
    await asyncio.gather(*(task for group in groups for task in group.tasks))


UPGRADE = ([(b":method", b"GET"), (b":path", b"/")], b"")


@pytest.mark.parametrize("upgrade", [None, UPGRADE], ids=["prior knowledge", "upgrade"])
async def test_bytes_that_arrive_meanwhile_do_not_overtake_those_before(take_over, upgrade):
    shell, slot = await take_over(b"second ", upgrade)
    shell.transport.arrive(b"third ")
    # What hypercorn had read, its protocol hands on after it has made us.
    await slot.handle(RawData(b"first "))
    shell.transport.arrive(b"fourth")
    await settle()
    assert slot._connection.given == b"first second third fourth"
    assert shell.reader._buffer == b""
    shell.transport.arrive(b" fifth")
    assert slot._connection.given.endswith(b"fourth fifth")
