"""The pages: probes for those who can't ask grpc.health.v1."""

from __future__ import annotations

from typing import cast

from quart import Quart

from dynconnect.plugins.health import WHOLE
from dynconnect.server.asgi_call import App
from dynconnect.server.services.statuses import Statuses

TEXT = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}


def pages(statuses: Statuses) -> App:
    """An application with the pages of a server that has these *statuses*."""
    app = Quart(__name__, static_folder=None)

    @app.get("/healthz")
    async def alive() -> tuple[str, int, dict[str, str]]:
        return "ok\n", 200, TEXT

    @app.get("/readyz")
    async def ready() -> tuple[str, int, dict[str, str]]:
        if statuses.serving(WHOLE):
            return "SERVING\n", 200, TEXT
        return "NOT_SERVING\n", 503, TEXT

    return cast("App", app)  # an ASGI application, in types of its own
