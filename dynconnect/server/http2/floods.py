"""Floods: counting what costs us more than its sender, and ending the connection that overdoes it.

Source: RFC 9113, section 10.5, which names the attacks and leaves the numbers to us; they are in
``limits.py``.
"""

from collections.abc import Callable

from dynconnect.server.http2.frames import Code, FatalError
from dynconnect.server.http2.limits import Limits


class Meter:
    """A leaky bucket that looks at the clock only when it is full."""

    __slots__ = ("_burst", "_clock", "_emptied", "_rate", "level")

    def __init__(self, burst: int, rate: float, clock: Callable[[], float]) -> None:
        self._burst, self._rate, self._clock = burst, rate, clock
        self._emptied = clock()
        self.level = 0.0

    def add(self, weight: int = 1) -> bool:
        """Whether the bucket runs over; it holds the burst and leaks the rate, per second."""
        # Whoever earns credit lowers the level without a check; at most one burst of credit counts.
        self.level = max(self.level, -self._burst) + weight
        if self.level <= self._burst:
            return False
        now = self._clock()
        self.level = max(0.0, self.level - (now - self._emptied) * self._rate)
        self._emptied = now
        return self.level > self._burst


class Floods:
    """What one connection has sent of it.

    ``overhead`` counts frames that carry no work. Whatever carries some lowers its level by ``CREDIT``, as
    honest peers send a PING and two WINDOW_UPDATEs for it.
    """

    CREDIT = 3
    __slots__ = ("_resets", "overhead")

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.overhead = Meter(limits.overhead_burst, limits.overhead_rate, clock)
        self._resets = Meter(limits.reset_burst, limits.reset_rate, clock)

    def count_overhead(self, weight: int = 1) -> None:
        """A frame without work.

        Raises:
            FatalError: ENHANCE_YOUR_CALM if they are too many; likewise ``count_reset``.
        """
        if self.overhead.add(weight):
            raise FatalError(Code.ENHANCE_YOUR_CALM, "too many frames without work")

    def count_reset(self) -> None:
        """A stream was reset by the peer, or by us for its error."""
        if self._resets.add():
            raise FatalError(Code.ENHANCE_YOUR_CALM, "too many streams were reset")
