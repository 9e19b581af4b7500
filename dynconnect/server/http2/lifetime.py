"""How long a connection lives: time-outs, keep-alive, and the two-step GOAWAY of a graceful end.

One timer for all of it, set to the next moment at which anything could be due; traffic moves no timer, it
only makes the next look find less. Source: RFC 9113 sections 5.4.1, 6.7, 6.8 and 9.1.
"""

import asyncio
from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import partial
from typing import Protocol

from dynconnect.server.http2 import frames
from dynconnect.server.http2.frames import MAX_STREAM_ID, Code
from dynconnect.server.http2.limits import NEVER, Limits
from dynconnect.server.http2.output import Output

_KEEPALIVE = b"alive?\0\0"
_LEAVING = b"leaving\0"

Rule = tuple[float, Callable[[], None]]


class Stage(IntEnum):
    """How far the end has come."""

    OPEN = 0
    LEAVING = 1  # the client was asked to open no more streams, but may not know yet
    LEFT = 2  # no stream above the last one is taken; the rest is finished
    ENDED = 3  # nothing more is read


class Owner(Protocol):
    """What a lifetime needs of the streams."""

    last: int

    @property
    def busy(self) -> bool:
        """Whether an application runs."""

    def cut(self) -> None:
        """Ends all calls, unanswered."""

    def stalled(self, number: int) -> None:
        """The reader of stream *number* makes no progress."""


class Lifetime:
    """One connection's clock. ``heard`` is when the peer last sent anything."""

    __slots__ = (
        "_cut_at", "_idle_since", "_left_at", "_limits", "_loop", "_made", "_output", "_owner", "_pace",
        "_pinged_at", "_timer", "_timer_at", "greeted", "head_since", "heard", "stage",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, output: Output, owner: Owner) -> None:
        self._loop, self._limits, self._output, self._owner = loop, limits, output, owner
        self._made = self._idle_since = self.heard = loop.time()
        self._pinged_at: float | None = None
        self._left_at: float | None = None
        self._cut_at = NEVER
        self._pace = min(limits.keepalive_interval, limits.stall_timeout)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER
        self.head_since: float | None = None  # HEADERS that wait for their CONTINUATION
        self.greeted = False  # the client's preface and SETTINGS are there
        self.stage = Stage.OPEN

    # --- the timer ------------------------------------------------------------------------------------------

    def _rules(self) -> Iterator[Rule]:
        """What may become due, and when."""
        limits, owner = self._limits, self._owner
        if self.stage is Stage.ENDED:
            yield self._cut_at, self._close
            return
        if not self.greeted:
            yield self._made + limits.preface_timeout, self.abort
        if self.head_since is not None:
            yield self.head_since + limits.head_timeout, self._slow_head
        if self._output.paused_at is not None:
            yield self._output.paused_at + limits.stall_timeout, self.abort
        yield from self._rules_busy() if owner.busy else self._rules_idle()
        if self.stage is Stage.OPEN:
            yield self._made + limits.max_age, self._too_old
        if self.stage is Stage.LEAVING and self._left_at is not None:
            yield self._left_at + limits.goaway_timeout, self._left
        yield self._cut_at, self._cut

    def _rules_idle(self) -> Iterator[Rule]:
        if self.stage is Stage.OPEN:
            yield self._idle_since + self._limits.idle_timeout, self.leave

    def _rules_busy(self) -> Iterator[Rule]:
        limits = self._limits
        if self._pinged_at is None or self.heard >= self._pinged_at:
            yield self.heard + limits.keepalive_interval, self._ping
        else:
            yield self._pinged_at + limits.keepalive_timeout, self.abort
        for number, (_, since) in self._output.waiting.items():
            yield since + limits.stall_timeout, partial(self._owner.stalled, number)
        # Whoever begins to wait moves no timer, so look now and then.
        yield self._loop.time() + self._pace, lambda: None

    def _look(self) -> None:
        self._timer, self._timer_at = None, NEVER
        now = self._loop.time()
        for due, action in list(self._rules()):
            if due <= now:
                action()
        if self._timer_at == NEVER:  # no action has set it, or stopped all
            self.arm()

    def arm(self) -> None:
        """Sets the timer to what is due next."""
        at = min((due for due, _ in self._rules()), default=NEVER)
        if at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(at, self._look)
            self._timer_at = at

    def stop(self) -> None:
        """The connection is gone."""
        self.stage = Stage.ENDED
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, -NEVER

    # --- what happens ---------------------------------------------------------------------------------------

    def busy(self) -> None:
        """The first stream opened."""
        if self._timer_at > self.heard + self._pace:
            self.arm()

    def idle(self) -> None:
        """The last stream ended."""
        self._idle_since = self._loop.time()
        if self.stage is Stage.LEFT:
            self.end(Code.NO_ERROR)
        elif self._timer_at > self._idle_since + self._limits.idle_timeout:
            self.arm()

    def pong(self, payload: bytes) -> None:
        """The peer answered a PING."""
        if payload == _LEAVING and self.stage is Stage.LEAVING:
            self._left()

    def _ping(self) -> None:
        self._pinged_at = self._loop.time()
        self._output.control(frames.ping(_KEEPALIVE))

    def _slow_head(self) -> None:
        self.end(Code.ENHANCE_YOUR_CALM, "a header block took too long")

    def _too_old(self) -> None:
        self.leave(self._limits.max_age_grace)

    # --- the end --------------------------------------------------------------------------------------------

    def leave(self, grace: float = NEVER) -> None:
        """Ends gracefully (section 6.8): calls have *grace* seconds, and none that is under way is lost."""
        self._cut_at = min(self._cut_at, self._loop.time() + grace)
        if self.stage is Stage.OPEN:
            self.stage = Stage.LEAVING
            self._left_at = self._loop.time()
            # The first step excludes no stream, as some may be on their way; when the PING is back, all came.
            self._output.control(frames.goaway(MAX_STREAM_ID, Code.NO_ERROR))
            self._output.control(frames.ping(_LEAVING))
        self.arm()

    def _left(self) -> None:
        self.stage = Stage.LEFT
        self._output.control(frames.goaway(self._owner.last, Code.NO_ERROR))
        if not self._owner.busy:
            self.end(Code.NO_ERROR)

    def peer_leaves(self) -> None:
        """The client sent GOAWAY: it opens no more streams."""
        if self.stage < Stage.LEFT:
            self._left()

    def _cut(self) -> None:
        self.end(Code.NO_ERROR, "its time is over")

    def end(self, code: Code, text: str = "") -> None:
        """Says the last GOAWAY and closes, giving the peer a moment to read it (section 5.4.1)."""
        if self.stage is Stage.ENDED:
            return
        if self.stage < Stage.LEFT or code is not Code.NO_ERROR:
            self._output.control(frames.goaway(self._owner.last, code, text))
        self.stage = Stage.ENDED
        self._cut_at = self._loop.time() + self._limits.linger
        self._owner.cut()
        self._output.flush()
        self._output.closed = True
        transport = self._output.transport
        # With input unread in the kernel, closing now would reset the connection and destroy our last words.
        if transport is not None and not transport.is_closing() and transport.can_write_eof():
            transport.write_eof()
        self.arm()

    def _close(self) -> None:
        """Closes the socket; what a slow reader has not fetched yet still goes, as long as it is fetched."""
        transport = self._output.transport
        if transport is None or transport.is_closing():
            self.abort()
        else:
            self._cut_at = self._loop.time() + self._limits.stall_timeout
            transport.close()

    def abort(self) -> None:
        """Ends at once: there is nobody to talk to."""
        self.stage = Stage.ENDED
        self._output.closed = True
        if self._output.transport is not None:
            self._output.transport.abort()
