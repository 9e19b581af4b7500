"""What serves and what does not: the truth that health answers by.

Source: gRPC Health Checking Protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress

from dynconnect.live.generation import Generation
from dynconnect.live.generations import Generations
from dynconnect.plugins.health import WHOLE
from dynconnect.server.services.ending import Ending


class Statuses:
    """Whether each service serves, in the generation that is live.

    Args:
        own: full names of services that the server itself answers for.
        idle_serves: whether a service serves that has no handler for any of its methods.
        ending: once it has begun, nothing serves.
    """

    def __init__(self, own: Collection[str], *, idle_serves: bool, ending: Ending) -> None:
        self._own = frozenset(own)
        self._idle_serves = idle_serves
        self._ending = ending
        self._generations: Generations | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    def follow(self, generations: Generations) -> None:
        """Tell of what is the current one of *generations*, from now on."""
        self._generations = generations
        self.swapped(generations.current)

    def names(self) -> list[str]:
        """All names that have a status, sorted, the whole server first."""
        services = set() if self._generations is None else self._generations.current.schema.services.keys()
        return sorted({WHOLE, *self._own, *services})

    def serving(self, service: str) -> bool | None:
        """Whether *service* serves, or the whole server if that is its name; None if there is none."""
        if self._generations is None:
            return False if service == WHOLE else None
        generation = self._generations.current
        methods = generation.schema.services.get(service)
        if service in self._own or service == WHOLE:
            able = True
        elif methods is None:
            return None
        else:
            bound = (generation.routes[method.path].bound_by is not None for method in methods)
            able = self._idle_serves or any(bound)
        return able and service not in generation.state.failing and not self._ending.begun

    def change(self) -> asyncio.Future[None]:
        """Done once something may have changed; cancel it if it is not waited for."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        return future

    def changed(self) -> None:
        """Wake all that wait for a change; from any thread."""
        for future in tuple(self._waiting):
            with suppress(RuntimeError):  # its loop has ended
                future.get_loop().call_soon_threadsafe(_finish, future)

    def swapped(self, generation: Generation) -> None:
        """*generation* has taken over."""
        generation.state.on_health(self.changed)
        self.changed()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
