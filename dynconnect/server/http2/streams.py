"""The streams of one connection: their states, their windows, and the frames that belong to them.

A stream is kept from its HEADERS until its application returns, which may be before or after it is over on
the wire.
Source: RFC 9113 sections 5.1, 6.1, 6.2, 6.4, 6.9 and 8.1.
"""

import asyncio
import logging
from asyncio import Task
from collections.abc import Callable, Coroutine
from typing import Any

from dynconnect.server.http2 import frames
from dynconnect.server.http2.floods import Floods
from dynconnect.server.http2.flow import Inbound, grown
from dynconnect.server.http2.frames import END_STREAM, INITIAL_WINDOW, PADDED, Code, FatalError, StreamError
from dynconnect.server.http2.heads import Head, Heads, RefusedError
from dynconnect.server.http2.lifetime import Lifetime, Stage
from dynconnect.server.http2.limits import Limits
from dynconnect.server.http2.output import Output
from dynconnect.server.http2.scope import Scopes
from dynconnect.server.http2.stream import App, Stream

Spawn = Callable[[Coroutine[Any, Any, None]], Task[None]]

log = logging.getLogger("dynconnect.http2")


class Streams:
    """Starts an application for each request and carries frames to it; ``last`` is the highest number."""

    def __init__(  # the parts of one connection, put together in one place
        self,
        app: App,
        scopes: Scopes,
        limits: Limits,
        output: Output,
        floods: Floods,
        spawn: Spawn,
    ) -> None:
        self._app, self._scopes, self._limits, self._output = app, scopes, limits, output
        self._floods, self._spawn = floods, spawn
        self._heads = Heads(limits)
        self._streams: dict[int, Stream] = {}  # those whose application runs
        self._over = 0  # how many of them are over on the wire
        self._dropped: dict[int, int] = {}  # over, but not for their clients: what those may still send
        self._early: set[int] = set()  # those of them that are to be reset, unless they end before
        self._inbound = Inbound(limits.connection_window)
        self._initial_window = INITIAL_WINDOW
        self._skipped = (0, 0)  # the last streams that the client left out (section 5.1.1)
        self.last = 0
        self.lifetime: Lifetime

    # --- DATA -----------------------------------------------------------------------------------------------

    def on_data(self, flags: int, number: int, payload: bytes) -> None:
        """Section 6.1."""
        size = len(payload)
        self._inbound.left -= size  # section 6.9: padding counts, and so do streams that are no more
        if self._inbound.left < 0:
            raise FatalError(Code.FLOW_CONTROL_ERROR, "the connection's window is exceeded")
        stream = self._streams.get(number)
        if stream is None or stream.over:
            self._late_data(flags, number, size)
            return
        stream.inbound.left -= size
        if flags & PADDED:
            payload = frames.unpad(payload)
            self.consumed(size - len(payload), stream)
            size = len(payload)
        try:
            self._check_data(stream, size, end=flags & END_STREAM)
        except StreamError:
            self.consumed(size)
            raise
        if size:
            stream.feed(payload)
        if flags & END_STREAM:
            stream.end()
        elif not size:
            self._floods.count_overhead()

    def _check_data(self, stream: Stream, size: int, *, end: int) -> None:
        """What DATA must be to the request that it belongs to; *size* is without padding."""
        if stream.ended:  # section 5.1, half-closed (remote)
            raise StreamError(Code.STREAM_CLOSED, "DATA after END_STREAM")
        if stream.inbound.left < 0:
            raise StreamError(Code.FLOW_CONTROL_ERROR, "the stream's window is exceeded")
        if stream.expected is not None:
            stream.expected -= size
            if stream.expected < 0 or (end and stream.expected):  # section 8.1.1
                raise StreamError(Code.PROTOCOL_ERROR, "the body is not as long as its content-length")

    def _late_data(self, flags: int, number: int, size: int) -> None:
        """DATA of a stream that is over: swallowed if the client cannot know yet (section 5.1, closed)."""
        self.consumed(size)
        if self._is_ignored(number):
            return
        self._check_not_idle(number)
        left = self._dropped.get(number)
        # No credit was given since the reset, so a client that obeys flow control stops by itself.
        if left is None or size > left:
            raise StreamError(Code.STREAM_CLOSED, "DATA on a closed stream")
        if flags & END_STREAM:
            del self._dropped[number]
        else:
            self._dropped[number] = left - size
            if not size:
                self._floods.count_overhead()

    # --- HEADERS --------------------------------------------------------------------------------------------

    def on_block(self, flags: int, number: int, block: bytes) -> None:
        """A whole header block: a request, or its trailers."""
        if number > self.last and number & 1:
            self._on_request(number, block, ended=bool(flags & END_STREAM))
            return
        stream = self._streams.get(number)
        if stream is not None and not stream.over:
            self._on_trailers(stream, block, flags)
        elif number in self._dropped:
            self._skip(block)
            if flags & END_STREAM:
                del self._dropped[number]
        elif number & 1 and not self._skipped[0] < number < self._skipped[1]:
            raise FatalError(Code.STREAM_CLOSED, "HEADERS on a closed stream (RFC 9113, 5.1)")
        else:
            raise FatalError(Code.PROTOCOL_ERROR, f"stream {number} out of order (RFC 9113, 5.1.1)")

    def _on_trailers(self, stream: Stream, block: bytes, flags: int) -> None:
        """A second header block ends the request (section 8.1)."""
        if stream.ended:
            self._skip(block)
            raise StreamError(Code.STREAM_CLOSED, "HEADERS after END_STREAM")
        try:
            self._heads.trailers(block)
        except RefusedError as exc:
            self._floods.count_overhead(self._limits.refused_weight)
            raise StreamError(Code.PROTOCOL_ERROR, "trailers are too large") from exc
        if not flags & END_STREAM or stream.expected:  # sections 8.1 and 8.1.1
            raise StreamError(Code.PROTOCOL_ERROR, "trailers do not end the request, or it is too short")
        stream.end()

    def _on_request(self, number: int, block: bytes, *, ended: bool) -> None:
        """A new stream: a request to be refused, reset, or answered by the application."""
        if self._is_ignored(number):
            self._skip(block)
            return
        if number != self.last + 2:
            self._skipped = self.last, number
        self.last = number
        self._floods.overhead.level -= Floods.CREDIT
        try:
            head = self._heads.request(block)
            if len(self._streams) - self._over >= self._limits.max_concurrent_streams:
                raise StreamError(Code.REFUSED_STREAM, "too many streams")  # section 5.1.2
            if self._over >= self._limits.max_lingering:
                raise StreamError(Code.REFUSED_STREAM, "too many streams that have not wound up")
        except RefusedError as exc:
            self._floods.count_overhead(self._limits.refused_weight)
            self._make_stream(number, ended=ended).answer(exc.status)
            self.forget(number)
        else:
            self._open(number, head, ended=ended)

    def _skip(self, block: bytes) -> None:
        """A header block that nobody wants: decoded all the same, as the tables are the connection's."""
        self._floods.count_overhead()
        self._heads.decode(block)

    def _make_stream(self, number: int, *, ended: bool) -> Stream:
        """A stream that counts from now on; ``forget`` has to follow."""
        inbound = Inbound(self._limits.stream_window)
        stream = Stream(self, self._output, number, self._initial_window, inbound)
        stream.ended = ended
        self._streams[number] = stream
        if len(self._streams) == 1:
            self.lifetime.busy()
        return stream

    def _open(self, number: int, head: Head, *, ended: bool) -> None:
        """Starts the application on a new stream."""
        if ended and head.content_length:
            raise StreamError(Code.PROTOCOL_ERROR, "content-length without a body")
        stream = self._make_stream(number, ended=ended)
        stream.expected = head.content_length
        scope = self._scopes.make(head)
        stream.task = self._spawn(stream.run(self._app, scope, head_only=head.method == "HEAD"))

    # --- RST_STREAM, WINDOW_UPDATE --------------------------------------------------------------------------

    def on_rst_stream(self, flags: int, number: int, payload: bytes) -> None:  # noqa: ARG002
        """Section 6.4: ends the stream, and its application if it has not answered."""
        if len(payload) != 4:
            raise FatalError(Code.FRAME_SIZE_ERROR, "RST_STREAM is not 4 bytes")
        if self._is_ignored(number):
            return
        self._check_not_idle(number)
        self._dropped.pop(number, None)  # it knows now, so nothing late may come
        stream = self._streams.get(number)
        if stream is None or stream.over:
            self._floods.count_overhead()
        else:
            self._floods.count_reset()
            stream.drop()

    def on_window_update(self, number: int, size: int) -> None:
        """Section 6.9."""
        if self._is_ignored(number):
            return
        self._check_not_idle(number)
        stream = self._streams.get(number)
        if stream is None or stream.over:
            return  # section 5.1: may come for a while
        if not size:
            raise StreamError(Code.PROTOCOL_ERROR, "WINDOW_UPDATE of 0")
        try:
            stream.window = grown(stream.window, size)
        except FatalError as exc:
            raise StreamError(exc.code, str(exc)) from exc
        self._output.wake(number)

    # --- for the connection ---------------------------------------------------------------------------------

    def upgrade(self, head: Head) -> None:
        """Opens stream 1 for a request that came whole, by HTTP/1.1."""
        self.last = 1
        self._open(1, head, ended=True)

    def set_initial_window(self, size: int) -> None:
        """The peer's SETTINGS_INITIAL_WINDOW_SIZE (section 6.9.2): open streams change by the difference."""
        difference = size - self._initial_window
        self._initial_window = size
        if difference:
            for stream in self._streams.values():
                stream.window = grown(stream.window, difference)  # may fall below zero
        if difference > 0:
            self._output.wake_all()

    def tasks(self) -> list[Task[None]]:
        """The applications that run."""
        return [stream.task for stream in self._streams.values() if stream.task and not stream.task.done()]

    @property
    def busy(self) -> bool:
        """Whether an application runs."""
        return bool(self._streams)

    # --- what streams ask for -------------------------------------------------------------------------------

    def consumed(self, size: int, stream: Stream | None = None) -> None:
        """*size* bytes of DATA are out of memory; *stream*, if given, may be sent as many more."""
        if credit := self._inbound.give(size):
            self._output.control(frames.window_update(0, credit))
        if stream is not None and (credit := stream.inbound.give(size)):
            self._output.control(frames.window_update(stream.id, credit))

    def reset(self, number: int, code: Code) -> None:
        """Ends stream *number* with RST_STREAM, and drops it."""
        stream = self._streams.get(number)
        if stream is not None:
            stream.drop()
        if stream is None or not stream.ended:
            self._expect_late(number, self._limits.stream_window if stream is None else stream.inbound.left)
        self._early.discard(number)
        self._output.control(frames.rst_stream(number, code))

    def answered_early(self, stream: Stream) -> None:
        """The answer is complete, the request is not, and its rest is not needed (section 8.1)."""
        self._expect_late(stream.id, stream.inbound.left)
        self._early.add(stream.id)
        delay = self._limits.early_reset_delay
        asyncio.get_running_loop().call_later(delay, self._reset_early, stream.id)

    def _reset_early(self, number: int) -> None:
        """If the request of stream *number* still goes on: to the client that is no failure."""
        if number in self._early:
            self._early.remove(number)
            if number in self._dropped:
                self._output.control(frames.rst_stream(number, Code.NO_ERROR))

    def _expect_late(self, number: int, size: int) -> None:
        """Frames of stream *number* may be under way, with *size* bytes of DATA, as no credit follows."""
        self._dropped[number] = size
        if len(self._dropped) > self._limits.max_remembered_resets:
            del self._dropped[next(iter(self._dropped))]

    def closed(self) -> None:
        """A stream is over on the wire."""
        self._over += 1

    def forget(self, number: int) -> None:
        """The application of stream *number* has returned."""
        del self._streams[number]
        self._over -= 1
        if not self._streams:
            self.lifetime.idle()

    def cut(self) -> None:
        """Ends all calls, unanswered."""
        for stream in list(self._streams.values()):
            stream.drop()

    def stalled(self, number: int) -> None:
        """The reader of stream *number* makes no progress."""
        log.info("stream %d is not read by its client", number)
        self.reset(number, Code.CANCEL)

    # --- rules used by many ---------------------------------------------------------------------------------

    def _is_ignored(self, number: int) -> bool:
        """Whether stream *number* came after our last GOAWAY (section 6.8)."""
        return self.lifetime.stage is Stage.LEFT and number > self.last and number & 1 == 1

    def _check_not_idle(self, number: int) -> None:
        """Section 5.1, idle: only HEADERS and PRIORITY may come."""
        if number == 0 or number > self.last or not number & 1:
            raise FatalError(Code.PROTOCOL_ERROR, f"frame on idle stream {number}")
