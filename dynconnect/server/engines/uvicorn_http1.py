"""HTTP/1.1 by uvicorn's httptools protocol, with what it lacks: limits, h2c by Upgrade, an end that is quiet.

uvicorn reads a head of any size, waits for one without end, tells only the last of several pipelined calls
that their client has gone, and with httptools loses the body of a request that offers an Upgrade.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from dynconnect.server.engines.head_writer import HeadTransport
from dynconnect.server.engines.settings import Settings

log = logging.getLogger(__name__)

Pairs: TypeAlias = list[tuple[bytes, bytes]]
Upgraded: TypeAlias = Callable[[str, bytes, Pairs, bytes, bytes], None]
"""Takes over with a request's method, target and headers, its HTTP2-Settings, and the bytes after it."""

_UPGRADES = frozenset({b"connection", b"upgrade", b"http2-settings"})
_REFUSAL = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Http1(HttpToolsProtocol):
    """One client's connection.

    Args:
        config: uvicorn's, loaded.
        server_state: uvicorn's.
        app_state: the lifespan's state.
        loop: the loop that it runs on.
        settings: what the client may cost.
        upgraded: called, instead of the application, for a first request that asks for h2c.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # Any: the application's
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
        upgraded: Upgraded | None,
    ) -> None:
        super().__init__(config, server_state, app_state, loop)
        self.logger = log
        self._settings = settings
        self._upgraded = upgraded
        self._cycles: deque[RequestResponseCycle] = deque()  # not answered yet; the first one runs
        self._heading = False
        self._skipping = False  # this request has no call
        self._too_long = False
        self._held = 0  # bytes that the parser has taken since it last told of a head, or of some body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Waits for the first request."""
        super().connection_made(cast("asyncio.Transport", HeadTransport(transport)))
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells all calls."""
        self._wake()
        super().connection_lost(exc)
        self.cut()

    def data_received(self, data: bytes) -> None:
        """Reads what the client sent."""
        self._held += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._answer_offer(data[offer.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        else:
            if self._too_long or self._held > self._settings.head_max_bytes:
                self.transport.write(_REFUSAL)
                self.transport.close()

    def cut(self) -> None:
        """Let the calls find that their client has gone."""
        for cycle in self._cycles:
            cycle.disconnected = True
            cycle.message_event.set()

    # --- what the parser tells ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._heading = True
        self._skipping = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head. Those of a chunked body's trailers are not: its call has begun."""
        if self._heading:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begins the call, unless the head is too long, or offers an Upgrade."""
        self._heading, self._held = False, 0
        self._wake()
        length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        self._too_long = length > self._settings.head_max_bytes
        self._skipping = self._too_long or self.parser.should_upgrade()
        if not self._skipping:
            super().on_headers_complete()
            self._cycles.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._held = 0
        if not self._skipping:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of the body."""
        self._held = 0
        if not self._skipping:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The first of the calls is answered."""
        self._cycles.popleft()
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:
            self._rest()

    # --- time and Upgrade -----------------------------------------------------------------------------------

    def _rest(self) -> None:
        """Close the connection unless the head of a request comes in time."""
        self._wake()
        self.timeout_keep_alive_task = self.loop.call_later(
            self._settings.idle_timeout, self.timeout_keep_alive_handler
        )

    def _wake(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def _answer_offer(self, rest: bytes) -> None:
        """Take an Upgrade to h2c where that is possible, else read the request as if none were offered."""
        method = self.parser.get_method()
        fields = dict(self.headers)
        kept = [pair for pair in self.headers if pair[0] not in _UPGRADES]
        if method == b"CONNECT":
            self.send_400_response("CONNECT is not served.")
        elif self._upgraded is not None and self.cycle is None and _asks_for_h2c(fields):
            self._wake()
            self._upgraded(method.decode(), self.url, kept, fields[b"http2-settings"], rest)
        else:
            lines = [b"%s %s HTTP/1.1" % (method, self.url), *(b"%s: %s" % pair for pair in kept)]
            self.parser = httptools.HttpRequestParser(self)
            self.data_received(b"\r\n".join([*lines, b"", b""]) + rest)


def _asks_for_h2c(fields: dict[bytes, bytes]) -> bool:
    """Whether a request without a body asks for HTTP/2 (RFC 7540, section 3.2)."""
    body = fields.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in fields
    return not body and b"http2-settings" in fields and fields.get(b"upgrade", b"").lower() == b"h2c"
