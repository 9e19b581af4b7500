"""What goes out: the frames of one loop turn in one write, the connection's window, who waits for it."""

import asyncio
from collections.abc import Callable

from dynconnect.server.http2 import frames
from dynconnect.server.http2.floods import Floods
from dynconnect.server.http2.flow import grown
from dynconnect.server.http2.frames import END_STREAM, FRAME_SIZE, HEADER, INITIAL_WINDOW
from dynconnect.server.http2.limits import Limits

_LARGEST_FRAME = 1 << 16  # one stream's turn; longer frames would make the others wait


class Output:
    """One connection's way out.

    ``window`` and ``frame_size`` are what the peer allows, ``room`` is whether more data may be queued.
    """

    __slots__ = (
        "_choked", "_frames", "_limits", "_loop", "_pending", "_queue", "_scheduled", "_table_update",
        "_unread_control", "closed", "frame_size", "overhead", "paused_at", "room", "transport", "turn",
        "waiting", "window",
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: Limits, floods: Floods, choked: Callable[[], None]
    ) -> None:
        self._loop, self._limits, self._choked = loop, limits, choked
        self.overhead = floods.overhead
        self.transport: asyncio.WriteTransport | None = None
        self.window = INITIAL_WINDOW
        self.frame_size = FRAME_SIZE
        self.room = True
        self.closed = False
        self.paused_at: float | None = None  # since when the socket takes nothing
        self.turn = 0  # a number for what goes out in one write
        self._table_update: bytes | None = None  # to stand before the next header block
        self._frames: list[bytes] = []
        self._pending = self._unread_control = 0
        self._scheduled = False
        # Streams that wait, the longest first: all with their time, and those for the connection's window.
        self.waiting: dict[int, tuple[asyncio.Future[None], float]] = {}
        self._queue: dict[int, asyncio.Future[None]] = {}

    # --- frames ---------------------------------------------------------------------------------------------

    def head(self, stream: int, block: bytes, flags: int) -> tuple[int, int]:
        """Queues HEADERS; returns their place for ``end``."""
        if self._table_update:
            block, self._table_update = self._table_update + block, b""
        self._frames.append(frames.head(stream, block, flags, self.frame_size))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)
        return self.turn, len(self._frames) - 1

    def data(self, stream: int, body: bytes, size: int, flags: int) -> None:
        """Queues DATA; the caller has seen that windows and frame size allow it, and paid the stream's."""
        self.window -= size
        self._frames += HEADER.pack(size >> 8, size & 0xFF, 0, flags, stream), body
        self.overhead.level -= Floods.CREDIT
        self._pending += size
        if self._pending >= self._limits.write_bytes:
            self.room = False
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def end(self, stream: int, place: tuple[int, int] | None) -> None:
        """Ends *stream*: in its HEADERS if they are still at *place*, else with an empty DATA frame."""
        if place is not None and place[0] == self.turn:
            head = self._frames[place[1]]
            self._frames[place[1]] = head[:4] + bytes((head[4] | END_STREAM,)) + head[5:]
        else:
            self.data(stream, b"", 0, END_STREAM)

    def control(self, frame: bytes) -> None:
        """Queues a frame that is not part of a response; the connection ends if the peer reads none."""
        if self.paused_at is not None:
            self._unread_control += len(frame)
            if self._unread_control > self._limits.unread_control_bytes:
                self._choked()
                return
        self._frames.append(frame)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    # --- the socket -----------------------------------------------------------------------------------------

    def _flush(self) -> None:  # by call_soon, so after all that this turn of the loop still does
        self._scheduled = False
        self.flush()

    def flush(self) -> None:
        """Writes what is queued."""
        self.turn += 1
        queued, self._frames = self._frames, []
        self._pending = 0
        self.room = self.paused_at is None
        if queued and self.transport is not None and not self.closed:
            self.transport.write(b"".join(queued))

    def pause(self) -> None:
        """The socket takes no more."""
        self.paused_at = self._loop.time()
        self.room = False

    def resume(self) -> None:
        """The socket takes more."""
        self.paused_at = None
        self._unread_control = 0
        self.room = self._pending < self._limits.write_bytes
        self.wake_all()

    # --- what the peer allows -------------------------------------------------------------------------------

    def set_frame_size(self, size: int) -> None:
        """The peer's SETTINGS_MAX_FRAME_SIZE."""
        self.frame_size = min(size, _LARGEST_FRAME)

    def empty_table(self) -> None:
        """The peer's table is smaller than the initial one; a header block must say so (RFC 7541, 4.2)."""
        if self._table_update is None:
            self._table_update = b"\x20"  # size 0, as we use none; once is enough

    def grow(self, size: int) -> None:
        """A WINDOW_UPDATE of the connection."""
        self.window = grown(self.window, size)
        self.wake_next()

    # --- who waits ------------------------------------------------------------------------------------------

    async def wait(self, number: int, *, for_window: bool) -> None:
        """Until there may be room for stream *number*, in the connection's window or elsewhere."""
        if not self.room and self.paused_at is None:
            # Much was queued in this turn: write it, and let the other streams have theirs.
            self.flush()
            await asyncio.sleep(0)
            return
        future = self._loop.create_future()
        self.waiting[number] = future, self._loop.time()
        if for_window:
            self._queue[number] = future
        else:
            self.wake_next()
        try:
            await future
        finally:
            self.waiting.pop(number, None)
            self._queue.pop(number, None)

    def wake(self, number: int) -> None:
        """Something changed for stream *number*."""
        found = self.waiting.get(number)
        if found is not None and not found[0].done():
            found[0].set_result(None)

    def wake_next(self) -> None:
        """The connection's window is open: who waited longest is next, and wakes another in turn."""
        # Not all at once: a thousand streams would wake for each byte of window (CVE-2019-9511).
        if self.window > 0:
            for future in self._queue.values():
                if not future.done():
                    future.set_result(None)
                    return

    def wake_all(self) -> None:
        """Something changed for all streams."""
        for future, _ in self.waiting.values():
            if not future.done():
                future.set_result(None)
