"""The generation that is built aside, until it is known whether it is wanted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dynconnect.live.generation import Generation


class Candidate:
    """At most one candidate to succeed the current generation.

    Args:
        build: makes the generation of a number; raises FindingsError.
        swap: makes a generation the one that serves.
    """

    def __init__(
        self, build: Callable[[int], Awaitable[Generation]], swap: Callable[[Generation], object]
    ) -> None:
        self._build = build
        self._swap = swap
        self._generation: Generation | None = None

    async def prepare(self, number: int) -> Generation:
        """Build the generation *number*, in the place of an earlier candidate, and keep it.

        Raises:
            FindingsError: with every finding.
        """
        await self.abort()
        self._generation = await self._build(number)
        return self._generation

    async def commit(self) -> None:
        """Swap to what was prepared, if anything was."""
        generation, self._generation = self._generation, None
        if generation is not None:
            self._swap(generation)

    async def abort(self) -> None:
        """Let go of what was prepared, if anything was."""
        generation, self._generation = self._generation, None
        if generation is not None:
            await generation.aclose()
