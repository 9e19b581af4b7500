"""The service grpc.health.v1.Health.

Source: grpc/health/v1/health.proto, and the gRPC Health Checking Protocol.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from dynconnect.live.generations import STOPS
from dynconnect.rpc.code import Code
from dynconnect.rpc.context import Context
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.handler import Handler
from dynconnect.server.services.ending import Ending
from dynconnect.server.services.statuses import Statuses

SERVICE = "grpc.health.v1.Health"

_NAMES = {True: "SERVING", False: "NOT_SERVING", None: "SERVICE_UNKNOWN"}


class Health:
    """Its handlers, which answer by *statuses*. Requests and responses are those of the system schema."""

    def __init__(self, statuses: Statuses, ending: Ending) -> None:
        self._statuses = statuses
        self._ending = ending

    def handlers(self) -> Mapping[str, Handler]:
        """Each by the name of its method."""
        return {"Check": self.check, "Watch": self.watch, "List": self.list}

    async def check(self, request: Any, _ctx: Context) -> Mapping[str, object]:  # Any: made at run time
        """The status of one service."""
        serving = self._statuses.serving(request.service)
        if serving is None:
            raise ConnectError(Code.NOT_FOUND, f"there is no service {request.service}")
        return {"status": _NAMES[serving]}

    async def watch(
        self,
        request: Any,
        _ctx: Context,  # Any: as above
    ) -> AsyncGenerator[Mapping[str, object], None]:
        """The status of one service, and again when it is another one."""
        told = ""
        while True:
            change = self._statuses.change()  # before the look: what changes meanwhile is not missed
            try:
                status = _NAMES[self._statuses.serving(request.service)]
                if status != told:
                    told = status
                    yield {"status": status}
                if self._ending.begun:
                    raise ConnectError(Code.UNAVAILABLE, STOPS)
                await change
            finally:
                change.cancel()

    async def list(self, _request: Any, _ctx: Context) -> Mapping[str, object]:  # Any: as above
        """The statuses of all services, and of the whole server."""
        found = {name: {"status": _NAMES[self._statuses.serving(name)]} for name in self._statuses.names()}
        return {"statuses": found}
