"""Time that passes only when nothing else can happen.

Inside `virtual_time` every timer of the loop fires in its order, and waiting for one takes no time: a
test of a deadline is exact, and a test that would hang fails at once by its guard.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """The time of a loop, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def virtual_time() -> Iterator[Clock]:
    """Let the running loop use a clock of its own."""
    loop = asyncio.get_running_loop()
    clock = Clock()
    select = loop._selector.select  # the one place where a loop waits

    def jump(timeout):
        # Threads and sockets are out of place here: time would run away from them.
        events = select(0)
        if not events and timeout is None:
            raise RuntimeError("deadlock: nothing will ever happen again")
        if timeout and not events:
            # At least one step of a float: late clocks are coarse, and the loop would never get there.
            clock.now = max(clock.now + timeout, math.nextafter(clock.now, math.inf))
        return events

    loop.time, loop._selector.select = clock, jump
    try:
        yield clock
    finally:
        del loop.time
        loop._selector.select = select


async def settle() -> None:
    """Let every task run as far as it gets without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)
