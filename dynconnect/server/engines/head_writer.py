"""A writer that lets the head of an HTTP/1.1 answer wait for its body, and writes both as one.

Hypercorn writes them apart. A client whose deadline falls between the two sees an answer without a body; and
each write costs a system call.
"""

from __future__ import annotations

import asyncio
from typing import Any

_HEAD = b"HTTP/1."


class HeadWriter:
    """An `asyncio.StreamWriter` as far as servers use one, on top of *writer*."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write *data*, at once unless it is a head: that waits for what follows in this turn of the loop."""
        if not self._head and data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self.flush)
            return
        head, self._head = self._head, b""
        self._writer.write(head + data if head else data)

    def flush(self) -> None:
        """Write the head that waits, if one does."""
        if self._head:
            self.write(b"")

    async def drain(self) -> None:
        """Wait while the client does not read. One head is less than waiting is worth."""
        await self._writer.drain()

    @property
    def transport(self) -> asyncio.WriteTransport:
        """What is below. All that was written is written before anybody takes it for his own."""
        self.flush()
        return self._writer.transport

    def get_extra_info(self, name: str) -> Any:  # Any: asyncio's own
        """What the transport knows."""
        return self._writer.get_extra_info(name)

    def write_eof(self) -> None:
        """End the writing side."""
        self.flush()
        self._writer.write_eof()

    def close(self) -> None:
        """Close, once all is written."""
        self.flush()
        self._writer.close()

    async def wait_closed(self) -> None:
        """Wait until it is closed."""
        await self._writer.wait_closed()
