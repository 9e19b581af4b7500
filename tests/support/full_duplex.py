"""An HTTP/2 client that reads while it writes, as browsers and Go do and httpx does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from support.asgi import GUARD
from support.dialects import Answer, Pairs


@dataclass
class _Stream:
    headers: Pairs = field(default_factory=list)
    body: bytes = b""
    ended: bool = False
    reset: bool = False


class FullDuplex:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._connection = H2Connection(H2Configuration(header_encoding="utf-8"))
        self._connection.initiate_connection()

    async def post(self, path: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer to a request, of which the rest is not sent once the server wants no more."""
        head = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
        number, stream = self._connection.get_next_available_stream_id(), _Stream()
        self._connection.send_headers(number, [*head, *headers.items()], end_stream=not content)
        async with asyncio.timeout(GUARD):
            while not stream.ended:
                if content and not stream.reset:
                    content = self._send(number, content)
                self._writer.write(self._connection.data_to_send())
                for event in await self._receive():
                    self._take(event, number, stream)
        if content and not stream.reset:
            self._connection.reset_stream(number)
        (_, status), *rest = stream.headers
        return Answer(int(status), rest, stream.body)

    def _send(self, number: int, content: bytes) -> bytes:
        """Send as much of *content* as may be sent; what is left."""
        connection = self._connection
        while content and (window := connection.local_flow_control_window(number)):
            size = min(window, connection.max_outbound_frame_size)
            piece, content = content[:size], content[size:]
            connection.send_data(number, piece, end_stream=not content)
        return content

    async def _receive(self) -> list[Event]:
        data = await self._reader.read(65536)
        assert data, "the server has closed the connection"
        return self._connection.receive_data(data)

    def _take(self, event: Event, number: int, stream: _Stream) -> None:
        if getattr(event, "stream_id", None) != number:
            return
        match event:
            case ResponseReceived():
                stream.headers = list(event.headers)
            case DataReceived():
                stream.body += event.data
                self._connection.acknowledge_received_data(event.flow_controlled_length, number)
            case StreamEnded():
                stream.ended = True
            case StreamReset():
                assert stream.ended, "reset before the answer was complete"
                assert event.error_code == 0, "P9: NO_ERROR"
                stream.reset = True


@asynccontextmanager
async def full_duplex(url: str) -> AsyncIterator[FullDuplex]:
    """A connection to the server at *url*, by prior knowledge."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield FullDuplex(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
