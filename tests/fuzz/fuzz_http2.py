"""Anything at all for our HTTP/2: no exception leaves it, nothing grows, and every application ends.

    python tests/fuzz/fuzz_http2.py [options of libFuzzer]

Half of the inputs are bytes as they are, the other half are cut into frames with a sound preface, as chance
alone hardly finds the way in. Each input is one connection, in pieces of a size that it chooses.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dynconnect.server.http2"]):
    from dynconnect.server.http2 import Connection, Limits
    from dynconnect.server.http2.frames import PREFACE, header

from hpack import Encoder

LIMITS = Limits(stream_window=1 << 16, connection_window=1 << 17, max_concurrent_streams=8, linger=0.0)
STATE_MAX = 3000
"""Streams and remembered resets that one connection may hold at the most."""
HEAD = Encoder().encode([(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")])


async def app(scope, receive, send):
    """Reads all, says as much, and ends."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
    await send({"type": "http.response.body", "body": bytes(min(size, 100_000))})
    await send({"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]})


class Transport(asyncio.Transport):
    """Takes everything, and forgets it."""

    def __init__(self):
        super().__init__({"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 2)})
        self.closed = False

    def write(self, data):
        assert not self.closed, "it writes after the end"

    def can_write_eof(self):
        return True

    def write_eof(self):
        pass

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    abort = close


def frames(data):
    """A preface, SETTINGS, and frames of what chance has: mostly of types and flags that mean something."""
    parts = [PREFACE, header(0, 4, 0, 0)]
    while data.remaining_bytes() > 0:
        kind, flags = data.ConsumeIntInRange(0, 10), data.ConsumeInt(1) & 0xFF
        stream = data.ConsumeIntInRange(0, 9)
        if kind == 1 and data.ConsumeBool():
            payload = HEAD
        else:
            payload = data.ConsumeBytes(data.ConsumeIntInRange(0, 64))
        size = data.ConsumeIntInRange(0, 70) if data.ConsumeIntInRange(0, 9) == 9 else len(payload)
        parts.append(header(size, kind, flags, stream) + payload)
    return b"".join(parts)


async def play(wire, step):
    loop = asyncio.get_running_loop()
    failed = []
    loop.set_exception_handler(lambda _, context: failed.append(context))
    transport, connection = Transport(), Connection(app, loop, limits=LIMITS)
    connection.connection_made(transport)
    for at in range(0, len(wire), step):
        if transport.closed:
            break
        connection.data_received(wire[at : at + step])
        if at % (16 * step) == 0:
            await asyncio.sleep(0)
        streams = connection._streams
        assert len(streams._streams) + len(streams._dropped) < STATE_MAX
        assert streams._inbound.left >= 0 or transport.closed or connection._lifetime.stage == 3
    transport.closed = True
    connection.connection_lost(None)
    async with asyncio.timeout(5):
        await connection.wait_closed()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not failed, failed


def test_one_input(data):
    provider = atheris.FuzzedDataProvider(data)
    step = provider.ConsumeIntInRange(1, 100)
    framed = provider.ConsumeBool()
    wire = frames(provider) if framed else PREFACE + provider.ConsumeBytes(provider.remaining_bytes())
    RUNNER.run(play(wire, step))


if __name__ == "__main__":
    RUNNER = asyncio.Runner()
    corpus = Path(sys.argv[0]).resolve().parents[2] / ".tools" / "corpus" / "http2"
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "call").write_bytes(
        bytes([9, 1]) + header(len(HEAD), 1, 4, 1) + HEAD + header(5, 0, 1, 1) + b"\0\0\0\0\0"
    )
    atheris.Setup([*sys.argv, str(corpus)], test_one_input)
    atheris.Fuzz()
