"""The pages: probes for those who can't ask grpc.health.v1, and what is served, for programs."""

from __future__ import annotations

from typing import cast

from quart import Quart

from dynconnect.plugins.health import WHOLE
from dynconnect.server.asgi_call import App
from dynconnect.server.console.state import Shown, set_of, state_of
from dynconnect.server.services.statuses import Statuses

NOT_STORED = {"cache-control": "no-store"}
TEXT = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}


def pages(statuses: Statuses, shown: Shown | None) -> App:
    """An application with the pages of a server that has these *statuses*, and with those of *shown*."""
    app = Quart(__name__, static_folder=None)

    @app.get("/healthz")
    async def alive() -> tuple[str, int, dict[str, str]]:
        return "ok\n", 200, TEXT

    @app.get("/readyz")
    async def ready() -> tuple[str, int, dict[str, str]]:
        if statuses.serving(WHOLE):
            return "SERVING\n", 200, TEXT
        return "NOT_SERVING\n", 503, TEXT

    if shown is not None:
        _add_state(app, shown)
    return cast("App", app)  # an ASGI application, in types of its own


def _add_state(app: Quart, shown: Shown) -> None:
    @app.get("/-/state")
    async def state() -> tuple[dict[str, object], int, dict[str, str]]:
        return state_of(shown.generations.current, shown.news), 200, NOT_STORED

    @app.get("/-/schema.binpb")
    async def schema() -> tuple[bytes, int, dict[str, str]]:
        data = set_of(shown.generations.current.schema)
        return data, 200, {"content-type": "application/octet-stream", **NOT_STORED}
