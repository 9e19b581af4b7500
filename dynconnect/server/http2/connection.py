"""An HTTP/2 server connection: bytes in, applications started, bytes out (RFC 9113).

``Connection`` is an ``asyncio.Protocol``, so ``loop.create_server(lambda: Connection(app, loop))`` is a
server. It can as well be put under a transport that another server opened: call ``connection_made`` with that
transport, hand on what it delivers, or give it to the transport with ``set_protocol``.
"""

import asyncio
import base64
import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

from dynconnect.server.http2 import frames, settings
from dynconnect.server.http2.floods import Floods
from dynconnect.server.http2.flow import increment
from dynconnect.server.http2.frames import (
    ACK,
    END_HEADERS,
    FRAME_SIZE,
    HEADER,
    HEADER_SIZE,
    INITIAL_WINDOW,
    PADDED,
    PREFACE,
    PRIORITISED,
    STREAM_MASK,
    Code,
    FatalError,
    StreamError,
)
from dynconnect.server.http2.heads import Pair, upgraded
from dynconnect.server.http2.lifetime import Lifetime, Stage
from dynconnect.server.http2.limits import DEFAULT, Limits
from dynconnect.server.http2.output import Output
from dynconnect.server.http2.scope import Address, Scopes
from dynconnect.server.http2.settings import Setting
from dynconnect.server.http2.stream import App
from dynconnect.server.http2.streams import Spawn, Streams

log = logging.getLogger("dynconnect.http2")


class Connection(asyncio.Protocol):
    """One client's connection.

    Args:
        app: an ASGI 3 application; it is called once for each stream.
        loop: the loop that it runs on.
        limits: what the client may cost.
        scheme: "http" or "https", as the application is told.
        client: the peer's address; None takes it from the transport.
        server: our address; likewise.
        state: the lifespan's state; each request has a shallow copy.
        tls: what the ASGI extension "tls" shall say.
        spawn: starts an application's task; the loop's ``create_task`` by default.
    """

    def __init__(
        self,
        app: App,
        loop: asyncio.AbstractEventLoop,
        *,
        limits: Limits = DEFAULT,
        scheme: str = "http",
        client: Address | None = None,
        server: Address | None = None,
        state: dict[str, Any] | None = None,
        tls: dict[str, Any] | None = None,
        spawn: Spawn | None = None,
    ) -> None:
        self._loop, self._limits = loop, limits
        self._floods = Floods(limits, loop.time)
        self._output = Output(loop, limits, self._floods, self._choked)
        self._scopes = Scopes(scheme, client, server, state, tls)
        self._streams = Streams(
            app, self._scopes, limits, self._output, self._floods, spawn or loop.create_task
        )
        self._lifetime = Lifetime(loop, limits, self._output, self._streams)
        self._streams.lifetime = self._lifetime
        self._buffer = b""  # the beginning of a frame; at most one frame, as longer ones are refused by size
        self._prefaced = False
        self._opening: tuple[int, int, list[bytes]] | None = None  # a head that waits for CONTINUATION
        self._lost = loop.create_future()
        self._frame: dict[int, Callable[[int, int, bytes], None]] = {
            frames.DATA: self._streams.on_data,
            frames.HEADERS: self._on_headers,
            frames.PRIORITY: self._on_priority,
            frames.RST_STREAM: self._streams.on_rst_stream,
            frames.SETTINGS: self._on_settings,
            frames.PUSH_PROMISE: self._on_push_promise,
            frames.PING: self._on_ping,
            frames.GOAWAY: self._on_goaway,
            frames.WINDOW_UPDATE: self._on_window_update,
            frames.CONTINUATION: self._on_continuation,
        }

    # --- asyncio.Protocol -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Says our SETTINGS; they need not wait for the client's (section 3.4)."""
        self._output.transport = cast("asyncio.WriteTransport", transport)
        self._scopes.complete(transport)
        limits = self._limits
        self._output.control(settings.ours(limits))
        # The connection's window has no setting (section 6.9.2).
        if limits.connection_window > INITIAL_WINDOW:
            self._output.control(frames.window_update(0, limits.connection_window - INITIAL_WINDOW))
        self._lifetime.arm()

    def data_received(self, data: bytes) -> None:
        """Reads what the client sent."""
        if self._lifetime.stage is Stage.ENDED:
            return
        self._lifetime.heard = self._loop.time()
        try:
            self._buffer = self._read(self._buffer + data if self._buffer else data)
        except FatalError as exc:
            log.debug("connection error %s: %s", exc.code.name, exc)
            self._buffer = b""
            self._lifetime.end(exc.code, str(exc))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # why does not matter
        """Ends all calls."""
        self._output.closed = True
        self._lifetime.stop()
        self._streams.cut()
        self._buffer = b""
        if not self._lost.done():
            self._lost.set_result(None)

    def pause_writing(self) -> None:
        """The socket is full."""
        self._output.pause()

    def resume_writing(self) -> None:
        """The socket takes more."""
        self._output.resume()

    # --- for whoever runs it --------------------------------------------------------------------------------

    def upgrade(self, method: str, target: bytes, headers: Sequence[Pair], http2_settings: bytes) -> None:
        """Answers as stream 1 the HTTP/1.1 request without a body that asked for h2c (RFC 7540, section 3.2).

        *http2_settings* is the value of its ``http2-settings``; the caller has sent 101 and called
        ``connection_made``.
        """
        try:
            self._apply_settings(base64.urlsafe_b64decode(http2_settings + b"=" * (-len(http2_settings) % 4)))
            self._streams.upgrade(upgraded(method, target, headers))
        except (FatalError, StreamError) as exc:
            self._lifetime.end(exc.code, str(exc))
        except ValueError:
            self._lifetime.end(Code.PROTOCOL_ERROR, "http2-settings is not base64url")

    def shutdown(self, grace: float) -> None:
        """Ends gracefully: no new calls, and *grace* seconds for those that run."""
        self._lifetime.leave(grace)

    async def wait_closed(self) -> None:
        """Until the connection is lost and no application runs."""
        await asyncio.shield(self._lost)
        while tasks := self._streams.tasks():
            await asyncio.wait(tasks)

    # --- the frame loop -------------------------------------------------------------------------------------

    def _read(self, buffer: bytes) -> bytes:
        """Handles the frames in *buffer*; returns what is left of it."""
        at, size = 0, len(buffer)
        if not self._prefaced:
            if not PREFACE.startswith(buffer[: len(PREFACE)]):
                raise FatalError(Code.PROTOCOL_ERROR, "not the HTTP/2 preface")
            if size < len(PREFACE):
                return buffer
            at, self._prefaced = len(PREFACE), True
        while size - at >= HEADER_SIZE and not self._output.closed:
            high, low, kind, flags, number = HEADER.unpack_from(buffer, at)
            length = high << 8 | low
            if length > FRAME_SIZE:  # section 4.2
                raise FatalError(Code.FRAME_SIZE_ERROR, f"frame of {length} bytes")
            start, end = at + HEADER_SIZE, at + HEADER_SIZE + length
            if end > size:
                break
            at = end
            number &= STREAM_MASK  # section 4.1: the reserved bit is ignored
            try:
                self._dispatch(kind, flags, number, buffer[start:end])
            except StreamError as exc:
                log.debug("stream %d error %s: %s", number, exc.code.name, exc)
                self._floods.count_reset()
                self._streams.reset(number, exc.code)
        return buffer[at:] if at else buffer

    def _dispatch(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        """Hands one frame to its handler, if a frame of its *kind* may come now."""
        if self._opening is not None and (kind != frames.CONTINUATION or number != self._opening[0]):
            raise FatalError(Code.PROTOCOL_ERROR, "a frame inside a header block (RFC 9113, 6.2)")
        if not self._lifetime.greeted and (kind != frames.SETTINGS or flags & ACK):
            raise FatalError(Code.PROTOCOL_ERROR, "the preface has no SETTINGS (RFC 9113, 3.4)")
        handle = self._frame.get(kind)
        if handle is not None:
            handle(flags, number, payload)
        else:  # section 4.1: unknown types are ignored
            self._floods.count_overhead()

    # --- HEADERS, CONTINUATION ------------------------------------------------------------------------------

    def _on_headers(self, flags: int, number: int, payload: bytes) -> None:
        """Section 6.2: the head of a request, its trailers, or the beginning of one of them."""
        if flags & PADDED:
            payload = frames.unpad(payload)
        if flags & PRIORITISED:
            _check_priority(number, payload[:5])
            payload = payload[5:]
        if flags & END_HEADERS:
            self._streams.on_block(flags, number, payload)
        else:
            self._opening = number, flags, [payload]
            self._lifetime.head_since = self._loop.time()
            self._lifetime.arm()

    def _on_continuation(self, flags: int, number: int, payload: bytes) -> None:
        """Section 6.10. What is refused here cannot be decoded, and so the connection cannot go on."""
        if self._opening is None:
            raise FatalError(Code.PROTOCOL_ERROR, "CONTINUATION of nothing (RFC 9113, 6.10)")
        _, first_flags, parts = self._opening
        parts.append(payload)
        limits = self._limits
        if len(parts) > limits.header_frames or sum(map(len, parts)) > limits.header_block_bytes:
            raise FatalError(Code.ENHANCE_YOUR_CALM, "header block is too long")
        if flags & END_HEADERS:
            self._opening = self._lifetime.head_since = None
            self._streams.on_block(first_flags, number, b"".join(parts))

    # --- the other frames -----------------------------------------------------------------------------------

    def _on_priority(self, flags: int, number: int, payload: bytes) -> None:  # noqa: ARG002
        """Checked and ignored: RFC 9113, 5.3.2 has deprecated it."""
        if number == 0:
            raise FatalError(Code.PROTOCOL_ERROR, "PRIORITY on stream 0")
        self._floods.count_overhead()
        _check_priority(number, payload)

    def _on_settings(self, flags: int, number: int, payload: bytes) -> None:
        """Section 6.5. Nothing depends on the acknowledgement of ours: they only ever allow more."""
        if number:
            raise FatalError(Code.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & ACK:
            if payload:
                raise FatalError(Code.FRAME_SIZE_ERROR, "SETTINGS acknowledgement with contents")
            return
        self._floods.count_overhead(self._limits.settings_weight)
        self._apply_settings(payload)
        self._lifetime.greeted = True
        self._output.control(frames.SETTINGS_ACK)

    def _apply_settings(self, payload: bytes) -> None:
        """Obeys the peer's settings (section 6.5.2)."""
        for name, value in settings.parse(payload):
            if name == Setting.INITIAL_WINDOW_SIZE:
                self._streams.set_initial_window(value)
            elif name == Setting.MAX_FRAME_SIZE:
                self._output.set_frame_size(value)
            elif name == Setting.HEADER_TABLE_SIZE and value < settings.TABLE_SIZE:
                self._output.empty_table()

    def _on_push_promise(self, flags: int, number: int, payload: bytes) -> None:  # noqa: ARG002
        raise FatalError(Code.PROTOCOL_ERROR, "PUSH_PROMISE from a client (RFC 9113, 8.4)")

    def _on_ping(self, flags: int, number: int, payload: bytes) -> None:
        """Section 6.7. The answer goes out with the next write, before any data queued later."""
        if number:
            raise FatalError(Code.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise FatalError(Code.FRAME_SIZE_ERROR, "PING is not 8 bytes")
        self._floods.count_overhead()
        if flags & ACK:
            self._lifetime.pong(payload)
        else:
            self._output.control(frames.ping(payload, ACK))

    def _on_goaway(self, flags: int, number: int, payload: bytes) -> None:  # noqa: ARG002
        """Section 6.8. Calls that run are answered; the client opens no more, so the rest is ours to end."""
        if number:
            raise FatalError(Code.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise FatalError(Code.FRAME_SIZE_ERROR, "GOAWAY is shorter than 8 bytes")
        self._lifetime.peer_leaves()

    def _on_window_update(self, flags: int, number: int, payload: bytes) -> None:  # noqa: ARG002
        """Section 6.9. An increment of 0 is an error of whom it is for."""
        size = increment(payload)
        self._floods.count_overhead()
        if number:
            self._streams.on_window_update(number, size)
        elif not size:
            raise FatalError(Code.PROTOCOL_ERROR, "WINDOW_UPDATE of 0")
        else:
            self._output.grow(size)

    def _choked(self) -> None:
        # No GOAWAY: it would only wait behind all that the client does not read.
        log.debug("the client sends, but reads nothing")
        self._lifetime.abort()


def _check_priority(number: int, payload: bytes) -> None:
    if len(payload) != 5:  # section 6.3
        raise FatalError(Code.FRAME_SIZE_ERROR, "priority is not 5 bytes")
    if int.from_bytes(payload[:4]) & STREAM_MASK == number:  # RFC 7540, 5.3.1
        raise FatalError(Code.PROTOCOL_ERROR, "a stream depends on itself")
