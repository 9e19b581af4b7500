"""The head of an HTTP/1.1 answer waits for its body, and both are written as one.

Hypercorn and uvicorn write them apart. A client whose deadline falls between the two sees an answer without
a body; and each write costs a system call.
"""

from __future__ import annotations

import asyncio
from typing import Any
from typing import Protocol as Interface

_HEAD = b"HTTP/1."


class _Below(Interface):
    def write(self, data: bytes) -> None:
        """Write, at once."""


class _Heads:
    """Writes to *below*, at once unless it is a head: that waits for what follows in this turn."""

    def __init__(self, below: _Below) -> None:
        self._below = below
        self._loop = asyncio.get_running_loop()
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write *data*, after the head that waits for it, or let it wait."""
        if not self._head and data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self.flush)
            return
        head, self._head = self._head, b""
        self._below.write(head + data if head else data)

    def flush(self) -> None:
        """Write the head that waits, if one does."""
        if self._head:
            self.write(b"")


class HeadWriter:
    """An `asyncio.StreamWriter` as far as servers use one, on top of *writer*."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._heads = _Heads(writer)
        self.write = self._heads.write

    async def drain(self) -> None:
        """Wait while the client does not read. One head is less than waiting is worth."""
        await self._writer.drain()

    @property
    def transport(self) -> asyncio.WriteTransport:
        """What is below. All that was written is written before anybody takes it for his own."""
        self._heads.flush()
        return self._writer.transport

    def get_extra_info(self, name: str) -> Any:  # Any: asyncio's own
        """What the transport knows."""
        return self._writer.get_extra_info(name)

    def write_eof(self) -> None:
        """End the writing side."""
        self._heads.flush()
        self._writer.write_eof()

    def close(self) -> None:
        """Close, once all is written."""
        self._heads.flush()
        self._writer.close()

    async def wait_closed(self) -> None:
        """Wait until it is closed."""
        await self._writer.wait_closed()


class HeadTransport:
    """An `asyncio.Transport` as far as servers of HTTP/1.1 use one, on top of *transport*."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._heads = _Heads(transport)
        self.write = self._heads.write
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.get_extra_info = transport.get_extra_info

    def close(self) -> None:
        """Close, once all is written."""
        self._heads.flush()
        self._transport.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection over, once all is written."""
        self._heads.flush()
        self._transport.set_protocol(protocol)
