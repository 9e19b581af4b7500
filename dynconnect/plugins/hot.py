"""What a plugin hands to its successor, the same file in the next generation.

The successor begins with a copy of the dict, so that what it puts in does not reach a generation that
goes on because the successor is refused. Values are not copied: both see the same objects.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar

log = logging.getLogger(__name__)

DISPOSE_MAX = 5.0
"""Seconds that one callback may take."""

F = TypeVar("F", bound=Callable[[], object])


class Hot:
    """The parameter ``hot`` of all that is in one plugin file.

    Args:
        predecessor: that of the same file in the generation that serves.

    Attributes:
        data: what the predecessor has put into its own, and then what this one puts in.
    """

    def __init__(self, predecessor: Hot | None = None) -> None:
        self.data: dict[str, Any] = {}  # Any: its authors know what they put in
        self._predecessor = predecessor
        if predecessor is not None:
            self.data.update(predecessor.data)
        self._begun = dict(self.data)
        self._callbacks: list[Callable[[], object]] = []

    def dispose(self, callback: F) -> F:
        """Have *callback*, plain or async, called once this generation takes no more calls.

        That is when its successor has taken over, while calls of this one may go on; when it is refused
        in the end; or when the server stops. Resources are torn down later.
        """
        self._callbacks.append(callback)
        return callback

    def take_over(self) -> None:
        """Bring in what the predecessor has put into its data since this one began."""
        if self._predecessor is not None:
            missing = object()
            for key, value in self._predecessor.data.items():
                begun = self._begun.get(key, missing)
                if value is not begun and self.data.get(key, missing) is begun:
                    self.data[key] = value
        # Else each would hold all that ever were.
        self._predecessor = None
        self._begun = {}

    async def run_callbacks(self) -> None:
        """Call what is to be called, the first one first. What it raises is logged."""
        while self._callbacks:
            callback = self._callbacks.pop(0)
            try:
                async with asyncio.timeout(DISPOSE_MAX):
                    result = callback()
                    if inspect.isawaitable(result):
                        await result
            except Exception:  # the generation has ended: there is nobody left to raise it to
                log.exception("dispose: %s failed", getattr(callback, "__qualname__", callback))
