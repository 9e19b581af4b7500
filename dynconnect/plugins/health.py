"""What plugins say of the health of their services."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from dynconnect.schema.finding import nearest

WHOLE = ""
"""The name of the whole server, as grpc.health.v1 has it."""


class Health:
    """The parameter ``health`` of all plugins of one generation, or of all resources of the process.

    It may be used in any thread.

    Args:
        services: the full names of those there are.
    """

    def __init__(self, services: Collection[str]) -> None:
        self.services = frozenset(services)
        self.failing: frozenset[str] = frozenset()
        """Those that do not serve, by what was `set`."""
        self.on_change: Callable[[], object] | None = None
        """Called when that has changed, in the thread that did it."""
        self._lock = threading.Lock()

    def set(self, service: str = WHOLE, *, serving: bool) -> None:
        """Say whether *service* serves; without a name it is the whole server.

        A service serves unless someone says otherwise: a later generation begins anew, but for what
        resources of the process have said.

        Raises:
            LookupError: there is no such service.
        """
        if service != WHOLE and service not in self.services:
            close = nearest(service, self.services)
            raise LookupError(
                f"there is no service {service}" + (f"; did you mean {close}?" if close else "")
            )
        with self._lock:
            before = self.failing
            self.failing = before - {service} if serving else before | {service}
        if self.failing != before and self.on_change is not None:
            self.on_change()
