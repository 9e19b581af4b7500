"""The end of the server, as streams hear of it that nobody would end otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from dynconnect.live.generations import STOPS
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError

T = TypeVar("T")

QUIET = 1.0
"""Seconds that a client may say nothing, once the server stops."""


class Ending:
    """Whether the server stops."""

    def __init__(self) -> None:
        self.begun = False
        self._waits: set[asyncio.Timeout] = set()

    def begin(self) -> None:
        """It stops from now on."""
        self.begun = True
        until = asyncio.get_running_loop().time() + QUIET
        for wait in self._waits:
            wait.reschedule(until)

    async def wait_for(self, awaitable: Awaitable[T]) -> T:
        """What *awaitable* comes to.

        Raises:
            ConnectError: UNAVAILABLE; the server stops, and it takes too long for that.
        """
        try:
            async with asyncio.timeout(QUIET if self.begun else None) as wait:
                self._waits.add(wait)
                try:
                    return await awaitable
                finally:
                    self._waits.discard(wait)
        except TimeoutError:
            if not wait.expired():
                raise
            raise ConnectError(Code.UNAVAILABLE, STOPS) from None
