"""What a generation would compile at its first call, compiled before that, while nothing else is to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from dynconnect.live.generation import Generation


class Warmer:
    """Warms one generation at a time: the newest."""

    def __init__(self) -> None:
        self._steps: Iterator[None] = iter(())
        self._next: asyncio.Handle | None = None

    def warm(self, generation: Generation) -> None:
        """Begin with *generation*, and leave the one before. Without an event loop this does nothing."""
        if self._next is not None:
            self._next.cancel()
        self._steps = _steps(generation)
        try:
            self._next = asyncio.get_running_loop().call_soon(self._step)
        except RuntimeError:
            self._steps = iter(())

    def _step(self) -> None:
        # One at a time: each takes a fraction of a millisecond, and calls come in between.
        self._next = None
        for _ in self._steps:
            self._next = asyncio.get_running_loop().call_soon(self._step)
            return


def _steps(generation: Generation) -> Iterator[None]:
    for route in generation.routes.values():
        if route.bound_by is not None:
            for cls in (route.method.input, route.method.output):
                for codec in route.codecs.values():
                    yield from codec.warm(cls)
