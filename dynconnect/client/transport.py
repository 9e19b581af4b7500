"""What carries a call: HTTP, seen as the events of one answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol, TypeAlias

from dynconnect.wire.events import Event, Request

Body: TypeAlias = bytes | AsyncIterator[bytes]
"""Of a request: all of it, or piece by piece as it comes."""


class Transport(Protocol):
    """Carries one request to a server, and its answer back."""

    def events(self, request: Request, body: Body) -> AsyncGenerator[Event, None]:
        """The events of the answer; closed early, it gives the request up.

        Raises:
            ConnectError: UNAVAILABLE, or what else the fault means, if there is no whole answer.
        """

    async def aclose(self) -> None:
        """Let go of all connections."""
