"""The current generation and those that still drain."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import TypeAlias

from dynconnect.live.generation import Generation
from dynconnect.plugins import handles

log = logging.getLogger(__name__)

Cut: TypeAlias = Callable[[str], object]
"""Ends one call, and tells its caller why; equal to no other's."""

REPLACED = "the handler was replaced while the call ran; call again"
STOPS = "the server stops; call again"

LIVE_MAX = 8
"""How many generations may have calls at a time, the current one included; each holds its classes."""

COLLECT_AFTER = 0.1
"""Seconds from the end of a generation's last call to the collection of what it left."""


class Generations:
    """Gives each call the current generation, and lets go of an old one after its last call.

    It belongs to the thread of its event loop; without a running loop it collects at once.

    Args:
        first: the current one to begin with.
        drain: seconds that the calls of an old generation may go on; None lets them.
    """

    def __init__(self, first: Generation, drain: float | None = None) -> None:
        self._current = first
        self._drain = drain
        self._running: dict[Generation, set[Cut]] = {first: set()}
        self._dropped: list[Generation] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self.on_enter: Callable[[Generation], None] | None = None
        """Hears of each call that begins."""
        self.on_swap: Callable[[Generation], None] | None = None
        """Hears of each generation that takes over."""
        handles.set_newest(first.schema)
        first.state.take_over()

    @property
    def current(self) -> Generation:
        """What a call that begins now uses."""
        return self._current

    @property
    def draining(self) -> tuple[Generation, ...]:
        """Old generations that calls still use, oldest first."""
        return tuple(generation for generation in self._running if generation is not self._current)

    @property
    def full(self) -> bool:
        """Whether no more generations may be live than there are."""
        return len(self._running) >= LIVE_MAX

    def running(self, generation: Generation) -> int:
        """How many calls use *generation*."""
        return len(self._running.get(generation, ()))

    def enter(self, cut: Cut) -> Generation:
        """Begin a call in its own task; the generation that it keeps to its end. `leave` must follow.

        *cut* ends the call, if its generation has been replaced for too long.
        """
        generation = self._current
        self._running[generation].add(cut)
        handles.enter(generation.schema)
        if self.on_enter is not None:
            self.on_enter(generation)
        return generation

    def leave(self, generation: Generation, cut: Cut) -> None:
        """End the call that *generation* was given to for this *cut*."""
        handles.leave()
        running = self._running[generation]
        running.remove(cut)
        if not running and generation is not self._current:
            self._drop(generation)

    def swap(self, new: Generation) -> Generation:
        """Make *new* the current generation; the old one, which drains."""
        old = self._current
        self._running.setdefault(new, set())
        self._current = new
        handles.set_newest(new.schema)
        if new is not old:
            new.state.take_over()
            old.state.retire()
        if self.on_swap is not None:
            self.on_swap(new)
        if not self._running[old]:
            self._drop(old)
        elif self._drain is not None:
            asyncio.get_running_loop().call_later(self._drain, self._cut, old)
        return old

    async def aclose(self) -> None:
        """Let go of all generations, and then of what they share: the server stops, and no call begins."""
        dropped, self._dropped = self._dropped, []
        for generation in (*dropped, *self._running):
            await generation.aclose()
        if self._closing:
            await asyncio.wait(self._closing)
        await self._current.state.close_process()

    def _cut(self, generation: Generation) -> None:
        """End the calls that *generation* still has."""
        running = self._running.get(generation)
        if running and generation is not self._current:
            log.warning(
                "generation %d: calls cut after %g s: %d", generation.number, self._drain, len(running)
            )
            for cut in tuple(running):
                cut(REPLACED)

    def cut(self) -> int:
        """End all calls, as the server stops; how many there were."""
        cuts = [cut for running in self._running.values() for cut in running]
        for cut in cuts:
            cut(STOPS)
        return len(cuts)

    def dropped(self) -> asyncio.Future[None]:
        """Done once the next old generation has no call any more."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        future.add_done_callback(self._waiting.remove)
        return future

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
        busy: list[Generation] = []
        while self._dropped:
            if self._dropped[-1].state.empty:
                self._dropped.pop().close()
            else:
                busy.append(self._dropped.pop())
        if not busy:
            _free()
            return
        closing = asyncio.get_running_loop().create_task(_close(busy))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


async def _close(generations: list[Generation]) -> None:
    while generations:
        await generations.pop().aclose()
    _free()


def _free() -> None:
    # Classes and descriptors refer to each other in circles, and automatic collections are too rare.
    gc.collect()
