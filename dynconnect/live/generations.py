"""The current generation and those that still drain."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

from dynconnect.live.generation import Generation
from dynconnect.plugins import handles

COLLECT_AFTER = 0.1
"""Seconds from the end of a generation's last call to the collection of what it left."""


class Generations:
    """Gives each call the current generation, and lets go of an old one after its last call.

    It belongs to the thread of its event loop; without a running loop it collects at once.
    """

    def __init__(self, first: Generation) -> None:
        self._current = first
        self._running: dict[Generation, int] = {first: 0}
        self._dropped: list[Generation] = []
        self._waiting: list[asyncio.Future[None]] = []
        self.on_enter: Callable[[Generation], None] | None = None
        """Hears of each call that begins."""
        handles.set_newest(first.schema)

    @property
    def current(self) -> Generation:
        """What a call that begins now uses."""
        return self._current

    @property
    def draining(self) -> tuple[Generation, ...]:
        """Old generations that calls still use, oldest first."""
        return tuple(generation for generation in self._running if generation is not self._current)

    def running(self, generation: Generation) -> int:
        """How many calls use *generation*."""
        return self._running.get(generation, 0)

    def enter(self) -> Generation:
        """Begin a call in its own task; the generation that it keeps to its end. `leave` must follow."""
        generation = self._current
        self._running[generation] += 1
        handles.enter(generation.schema)
        if self.on_enter is not None:
            self.on_enter(generation)
        return generation

    def leave(self, generation: Generation) -> None:
        """End a call that *generation* was given to."""
        handles.leave()
        running = self._running[generation] = self._running[generation] - 1
        if not running and generation is not self._current:
            self._drop(generation)

    def swap(self, new: Generation) -> Generation:
        """Make *new* the current generation; the old one, which drains."""
        old = self._current
        self._running[new] = 0
        self._current = new
        handles.set_newest(new.schema)
        if not self._running[old]:
            self._drop(old)
        return old

    async def dropped(self) -> None:
        """Wait until an old generation has no call any more."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            self._waiting.remove(future)

    def _drop(self, generation: Generation) -> None:
        del self._running[generation]
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._dropped.append(generation)
        if len(self._dropped) > 1:
            return  # a collection is due already
        try:
            # Later, as the last call is still ending, and one collection serves many swaps.
            asyncio.get_running_loop().call_later(COLLECT_AFTER, self._collect)
        except RuntimeError:
            self._collect()

    def _collect(self) -> None:
        while self._dropped:
            self._dropped.pop().close()
        # Classes and descriptors refer to each other in circles, and automatic collections are too rare.
        gc.collect()
