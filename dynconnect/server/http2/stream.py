"""One stream as an ASGI application sees it: ``receive`` and ``send`` (ASGI 3, HTTP 2.4).

When the client resets the stream or goes away before the answer is complete, the application's task is
cancelled, so that its ``finally`` blocks run at once wherever it waits. Tasks that it started itself learn it
as ASGI says: ``receive()`` returns ``http.disconnect`` and ``send()`` raises ``ConnectionResetError``, an
``OSError``. Once the answer is complete nothing is cancelled: what an application does then is its own
affair.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from dynconnect.server.http2 import fields
from dynconnect.server.http2.floods import Floods
from dynconnect.server.http2.flow import Inbound
from dynconnect.server.http2.frames import END_STREAM, Code
from dynconnect.server.http2.output import Output

Message = MutableMapping[str, Any]  # ASGI's events hold values of many types
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

_MAX_CHUNKS = 64
_DROP = (
    1024  # less than that, for want of window, earns the peer no credit for its WINDOW_UPDATE (CVE-2019-9511)
)
log = logging.getLogger("dynconnect.http2")


# Which event of the answer comes next.
_START, _BODY, _TRAILERS = "http.response.start", "http.response.body", "http.response.trailers"
_DONE = "nothing"


class Owner(Protocol):
    """What a stream needs of its connection."""

    def consumed(self, size: int, stream: "Stream | None" = None) -> None:
        """*size* bytes of DATA are out of memory; *stream*, if given, may be sent as many more."""

    def reset(self, number: int, code: Code) -> None:
        """Ends stream *number* with RST_STREAM, and drops it."""

    def answered_early(self, stream: "Stream") -> None:
        """The answer is complete, the request is not."""

    def closed(self) -> None:
        """A stream is over on the wire."""

    def forget(self, number: int) -> None:
        """The application of stream *number* has returned."""


class Stream:
    """One request and its answer.

    ``window`` is what the peer lets us send, ``inbound`` what we let it send; ``ended`` is set by END_STREAM,
    ``over`` once nothing may be sent, ``gone`` if that is because the peer (or an error) took the stream
    away.
    """

    __slots__ = (
        "_chunks", "_end_read", "_head", "_no_body", "_output", "_owed", "_owner", "_phase", "_send_lock",
        "_started", "_trailer_fields", "_trailers", "_waiters", "ended", "expected", "gone", "id", "inbound",
        "over", "task", "window",
    )  # fmt: skip

    def __init__(self, owner: Owner, output: Output, number: int, window: int, inbound: Inbound) -> None:
        self._owner, self._output = owner, output
        self.id, self.window, self.inbound = number, window, inbound
        self.task: asyncio.Task[None] | None = None
        self.ended = self.over = self.gone = self._end_read = self._started = False
        self.expected: int | None = None  # bytes of content-length that are still to come
        self._chunks: list[bytes | bytearray] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._phase = _START
        self._no_body = self._trailers = False
        self._owed: int | None = None  # bytes of our own content-length that are still to be sent
        self._head: tuple[int, int] | None = None  # where HEADERS are queued, until DATA follows
        self._trailer_fields: list[Any] = []
        self._send_lock: asyncio.Lock | None = None

    # --- the application ------------------------------------------------------------------------------------

    async def run(self, app: App, scope: Message, *, head_only: bool) -> None:
        """Runs *app* to its end and answers for it if it did not."""
        self._no_body = head_only
        self._started = True
        try:
            if not self.gone:
                await app(scope, self.receive, self.send)
        except asyncio.CancelledError:
            if not self.gone:  # not by us: whoever cancelled wants to see it
                self._abandon()
                raise
        except Exception as exc:  # the gate between any application and the wire
            if not (self.gone and isinstance(exc, OSError)):
                log.exception("application failed on %s %s", scope["method"], scope["path"])
            self._abandon()
        else:
            if not self.over:
                log.error(
                    "application ended without a complete answer: %s %s", scope["method"], scope["path"]
                )
                self._abandon()
        finally:
            self.task = None
            self._owner.forget(self.id)

    def _abandon(self) -> None:
        """The application left its answer unfinished: 500 if there is none yet, else INTERNAL_ERROR."""
        if self.over:
            return
        if self._phase is _START:
            self.answer(500)
        else:
            self._owner.reset(self.id, Code.INTERNAL_ERROR)

    def answer(self, status: int) -> None:
        """A whole answer without an application's help."""
        block, _ = fields.response_head(status, ((b"content-length", b"0"),))
        self._output.head(self.id, block, END_STREAM)
        self._finish()

    # --- from the connection --------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """DATA arrived."""
        chunks = self._chunks
        if len(chunks) < _MAX_CHUNKS:
            chunks.append(data)
        elif isinstance(chunks[-1], bytearray):
            chunks[-1] += data
        else:
            chunks.append(bytearray(data))  # tiny frames must not cost an object each
        if self._waiters:
            self._wake()

    def end(self) -> None:
        """END_STREAM arrived."""
        self.ended = True
        if self._waiters:
            self._wake()

    def drop(self) -> None:
        """The stream is lost: nothing more will be received or sent."""
        if self.over:
            return
        self.gone = True
        self._close()
        self._output.wake(self.id)
        # A task that was cancelled before its first step would never reach the end of ``run``.
        if self._started and self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()

    def _close(self) -> None:
        """Over on the wire: what the request still holds in memory goes back to the connection's window."""
        self.over = True
        if self._chunks:
            self._owner.consumed(sum(map(len, self._chunks)))
            self._chunks.clear()
        if self._waiters:
            self._wake()
        self._owner.closed()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # --- ASGI: receive --------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """The next part of the request, all that is there; ``http.disconnect`` once the stream is over."""
        while not self.over:
            chunks = self._chunks
            if chunks:
                body = b"".join(chunks) if len(chunks) > 1 else bytes(chunks[0])
                chunks.clear()
                self._owner.consumed(len(body), None if self.ended else self)
                self._end_read = self.ended
                return {"type": "http.request", "body": body, "more_body": not self.ended}
            if self.ended and not self._end_read:
                self._end_read = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self._wait()
        return {"type": "http.disconnect"}

    async def _wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:  # cancelled
                self._waiters.remove(waiter)

    # --- ASGI: send -----------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """The next part of the answer; waits while windows or socket are full.

        Raises:
            ConnectionResetError: if the stream is gone.
            RuntimeError: for an event out of turn, or a body that is not as long as its content-length.
            ValueError: for headers that must not reach the wire (or TypeError).
        """
        kind = message["type"]
        if self.gone:
            raise ConnectionResetError(f"stream {self.id} was closed by the client")
        if kind != self._phase:
            raise RuntimeError(f"got {kind!r} where {self._phase!r} is next")
        if kind == _BODY:
            await self._send_body(message.get("body", b""), last=not message.get("more_body", False))
        elif kind == _START:
            self._send_start(message)
        else:
            self._send_trailers(message)

    def _send_start(self, message: Message) -> None:
        """Encodes first: a head that is refused leaves the stream as it was, and another may follow."""
        status = message["status"]
        block, length = fields.response_head(status, message.get("headers", ()))
        self._no_body = self._no_body or status in (204, 304)
        if not self._no_body:
            self._owed = length
        self._trailers = message.get("trailers", False)
        # Queued until the end of this turn of the loop, where an end that follows at once can still join it.
        self._head = self._output.head(self.id, block, 0)
        self._phase = _BODY

    async def _send_body(self, body: bytes, *, last: bool) -> None:
        """At once if all of it may go, else in parts; an empty body is no frame unless it ends the stream."""
        if self._no_body or type(body) is not bytes:
            body = b"" if self._no_body else bytes(body)
        size = len(body)
        if self._owed is not None:
            self._check_length(size, last=last)
        end = last and not self._trailers
        if size:
            output = self._output
            self._head = None
            if (
                size <= self.window and size <= output.window and size <= output.frame_size
                and output.room and self._send_lock is None
            ):  # fmt: skip
                self.window -= size
                output.data(self.id, body, size, END_STREAM if end else 0)
            else:
                await self._send_slowly(body, END_STREAM if end else 0)
        elif end:
            self._output.end(self.id, self._head)
        if end:
            self._finish()
        elif last:
            self._phase = _TRAILERS

    def _check_length(self, size: int, *, last: bool) -> None:
        """RFC 9113, 8.1.1: a response whose content-length is not its length is malformed."""
        owed = self._owed or 0
        if size > owed or (last and size < owed):
            raise RuntimeError(f"{size} bytes of body where its content-length leaves {owed}")
        self._owed = owed - size

    async def _send_slowly(self, body: bytes, flags: int) -> None:
        """Sends *body* in parts, as the windows, the frame size and the socket allow."""
        if self._send_lock is None:
            self._send_lock = asyncio.Lock()  # two tasks may send at once; their bytes must not mix
        async with self._send_lock:
            sent, size = 0, len(body)
            try:
                while sent < size:
                    part = await self._room(size - sent)
                    chunk = body[sent : sent + part]
                    sent += part
                    self.window -= part
                    self._output.data(self.id, chunk, part, flags if sent == size else 0)
                    if part < _DROP and sent < size:
                        self._output.overhead.level += Floods.CREDIT
            except asyncio.CancelledError:
                if sent and not self.over:  # half a chunk cannot be taken back
                    self._owner.reset(self.id, Code.INTERNAL_ERROR)
                raise
            finally:
                self._output.wake_next()

    async def _room(self, wanted: int) -> int:
        """How much of *wanted* bytes may be sent, at least one; waits until it is."""
        output = self._output
        while not self.over:
            part = min(wanted, self.window, output.window, output.frame_size)
            if part > 0 and output.room:
                return part
            await output.wait(self.id, for_window=self.window > 0)
        raise ConnectionResetError(f"stream {self.id} was closed by the client")

    def _send_trailers(self, message: Message) -> None:
        """The end with trailers; never merged into the head, where they would mean another thing."""
        self._trailer_fields += message.get("headers", ())
        if message.get("more_trailers", False):
            return
        if self._trailer_fields:
            block = fields.trailers(self._trailer_fields)
            self._output.head(self.id, block, END_STREAM)
        else:
            self._output.end(self.id, self._head)
        self._finish()

    def _finish(self) -> None:
        """The answer is complete."""
        self._phase = _DONE
        self._close()
        if not self.ended:
            self._owner.answered_early(self)
