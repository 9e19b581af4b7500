"""The other end, in memory: bytes in, frames out, nothing hidden."""

import asyncio
import contextlib
from typing import NamedTuple

from hpack import Decoder, Encoder

from dynconnect.server.http2 import DEFAULT, Connection
from dynconnect.server.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Code,
    header,
)

POST = {":method": "POST", ":scheme": "http", ":path": "/", ":authority": "test"}
GET = POST | {":method": "GET"}


def frame(kind, flags=0, stream=0, payload=b""):
    return header(len(payload), kind, flags, stream) + payload


def settings(**values):
    names = {"table": 1, "push": 2, "window": 4, "frame": 5, "list": 6}
    return frame(SETTINGS, payload=b"".join(names[k].to_bytes(2) + v.to_bytes(4) for k, v in values.items()))


def block(fields, encoder=None):
    pairs = fields.items() if isinstance(fields, dict) else fields
    return (encoder or Encoder()).encode([(name, value) for name, value in pairs])


def head(stream, fields=POST, *, end=False, encoder=None):
    flags = END_HEADERS | (END_STREAM if end else 0)
    return frame(HEADERS, flags, stream, block(fields, encoder))


def data(stream, payload=b"", *, end=False):
    return frame(DATA, END_STREAM if end else 0, stream, payload)


def rst(stream, code=Code.CANCEL):
    return frame(RST_STREAM, 0, stream, code.to_bytes(4))


def window(stream, size):
    return frame(WINDOW_UPDATE, 0, stream, size.to_bytes(4))


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def ends(self):
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    @property
    def code(self):
        """Of RST_STREAM and GOAWAY."""
        return Code(int.from_bytes(self.payload[:4] if self.kind == RST_STREAM else self.payload[4:8]))


class Transport(asyncio.Transport):
    """A socket that takes everything, until ``full``."""

    def __init__(self, peer):
        super().__init__({"peername": ("192.0.2.1", 50000), "sockname": ("192.0.2.2", 443)})
        self.peer, self.closing, self.stuck, self.aborted = peer, False, False, False

    def write(self, data):
        assert not self.closing
        self.peer.take(data)

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.peer.eof = True
        self.peer.changed.set()

    def is_closing(self):
        return self.closing

    def close(self):
        """Loses the connection, unless it is ``stuck``: then it waits for what is unread."""
        if not self.closing:
            self.closing = True
            if not self.stuck:
                asyncio.get_running_loop().call_soon(self.peer.lose)

    def abort(self):
        self.closing = self.aborted = True
        asyncio.get_running_loop().call_soon(self.peer.lose)


class Peer:
    """A client made of bytes. ``frames`` is all that the server said but its first SETTINGS and window."""

    def __init__(self, app, limits=DEFAULT, *, greet=True, step=None, **options):
        self.frames, self.received, self.rest = [], b"", b""
        self.changed = asyncio.Event()
        self.eof = self.lost = False
        self.step = step
        self.encoder, self.decoder = Encoder(), Decoder()
        self.transport = Transport(self)
        self.connection = Connection(app, asyncio.get_running_loop(), limits=limits, **options)
        self.connection.connection_made(self.transport)
        if greet:
            self.send(PREFACE, settings(), frame(SETTINGS, ACK))

    # --- both ways ------------------------------------------------------------------------------------------

    def send(self, *parts):
        """Gives bytes to the server, in pieces of ``step``."""
        data = b"".join(parts)
        for at in range(0, len(data), self.step or len(data) or 1):
            if self.transport.closing:
                return
            self.connection.data_received(data[at : at + (self.step or len(data))])

    def take(self, data):
        self.received += data
        data = self.rest + data
        while len(data) >= 9 and len(data) >= (size := 9 + int.from_bytes(data[:3])):
            number = int.from_bytes(data[5:9])
            self.frames.append(Frame(data[3], data[4], number, data[9:size]))
            data = data[size:]
        self.rest = data
        self.changed.set()

    def lose(self):
        if not self.lost:
            self.lost = True
            self.transport.closing = True
            self.connection.connection_lost(None)
            self.changed.set()

    # --- waiting --------------------------------------------------------------------------------------------

    async def until(self, condition, timeout=5):  # noqa: ASYNC109
        """Waits for *condition* to be true of what the server said; returns its value."""
        async with asyncio.timeout(timeout):
            while not (found := condition()):
                self.changed.clear()
                await self.changed.wait()
        return found

    async def settle(self):
        """Lets everything happen that happens without time."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def answered(self, stream):
        """Waits for the end of *stream*; returns its frames."""
        await self.until(lambda: any(f.ends or f.kind == RST_STREAM for f in self.of(stream)))
        return self.of(stream)

    async def was_reset(self, stream):
        """Waits for the end of *stream* by RST_STREAM."""
        await self.until(lambda: any(f.kind == RST_STREAM for f in self.of(stream)))

    async def goaway(self):
        """Waits for the last GOAWAY's code."""
        await self.until(lambda: self.eof or self.lost)
        return self.last(GOAWAY).code

    # --- what was said --------------------------------------------------------------------------------------

    def of(self, stream):
        return [f for f in self.frames if f.stream == stream and f.kind != WINDOW_UPDATE]

    def kinds(self, stream):
        """Frames of *stream* in words: ``"HEADERS DATA(5)+"``; + is END_STREAM."""
        names = {DATA: "DATA", HEADERS: "HEADERS", RST_STREAM: "RST", CONTINUATION: "CONTINUATION"}
        said = []
        for f in self.of(stream):
            more = (
                f"({len(f.payload)})"
                if f.kind == DATA
                else f"({f.code.name})"
                if f.kind == RST_STREAM
                else ""
            )
            said.append(names[f.kind] + more + ("+" if f.ends else ""))
        return " ".join(said)

    def last(self, kind):
        return [f for f in self.frames if f.kind == kind][-1]

    def body(self, stream):
        return b"".join(f.payload for f in self.of(stream) if f.kind == DATA)

    def fields(self, stream, index=0):
        """The fields of a HEADERS frame of *stream*; our blocks use no dynamic table."""
        found = [f for f in self.of(stream) if f.kind == HEADERS][index]
        return [(bytes(n), bytes(v)) for n, v in Decoder().decode(found.payload, raw=True)]

    def status(self, stream):
        return int(dict(self.fields(stream))[b":status"])

    async def alive(self, stream):
        """Whether a neighbour on the same connection is served: opens *stream* and sees its answer end."""
        self.send(head(stream, GET, end=True, encoder=self.encoder))
        answer = await self.answered(stream)
        return answer[0].kind == HEADERS and answer[-1].ends

    def pings(self):
        return [f for f in self.frames if f.kind == PING]


@contextlib.asynccontextmanager
async def connected(app, limits=DEFAULT, **options):
    """A peer whose connection is closed and whose applications have ended afterwards."""
    peer = Peer(app, limits, **options)
    try:
        yield peer
    finally:
        peer.lose()
        async with asyncio.timeout(5):
            await peer.connection.wait_closed()
