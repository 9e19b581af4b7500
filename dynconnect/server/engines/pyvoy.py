"""Envoy under the application, by pyvoy: HTTP/1.1, HTTP/2 and HTTP/3, in a process of its own.

Envoy's process has a Python that imports the application; neither an application that is made here nor open
sockets can be handed to it. So it gets a `Service` and makes the same of it as we did to check it, and it
opens the port that was found free a moment ago.
Only the files with its name import pyvoy.
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

from pyvoy import PyvoyServer

from dynconnect.schema.finding import Finding
from dynconnect.server.engines.endpoint import Endpoint
from dynconnect.server.engines.pyvoy_app import VARIABLE, pack
from dynconnect.server.engines.settings import Settings, StartError
from dynconnect.server.service import Service

log = logging.getLogger(__name__)

_POLL = 0.05
"""Seconds between two questions to Envoy whether calls still run."""


async def serve(
    service: Service,
    endpoint: Endpoint,
    *,
    on_ready: Callable[[], object],
    stop: Callable[[], Awaitable[object]],
) -> None:
    """Run *service* at *endpoint* until *stop* returns and its calls have ended, or been cut after `grace`.

    Raises:
        StartError: Envoy does not start, or ends by itself.
    """
    settings = endpoint.settings
    endpoint.close()
    envoy = PyvoyServer(
        "dynconnect.server.engines.pyvoy_app",
        address=settings.host,
        port=endpoint.port,
        lifespan=True,
        stdout=None,
        stderr=None,
        env={VARIABLE: pack(service)},
        **_tls(settings),
    )
    try:
        await envoy.start()
    except RuntimeError as exc:
        raise StartError([Finding("--engine pyvoy", f"Envoy does not start: {exc}")]) from exc
    try:
        on_ready()
        ended = asyncio.ensure_future(envoy.wait())
        stopping = asyncio.ensure_future(stop())
        await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise StartError([Finding("--engine pyvoy", f"Envoy ended by itself, with {ended.result()}")])
        await _drain(envoy, settings.grace)
    finally:
        await envoy.stop()


def _tls(settings: Settings) -> dict[str, Any]:  # Any: arguments of different types
    if settings.tls_cert is None:
        return {}
    return {
        "tls_cert": settings.tls_cert,
        "tls_key": settings.tls_key or settings.tls_cert,
        "tls_ca_cert": settings.tls_client_ca,
    }


async def _drain(envoy: PyvoyServer, grace: float) -> None:
    """Accept no more, and wait until no call runs, for *grace* seconds at most."""
    await _ask(envoy, "drain_listeners?graceful&skip_exit", method="POST")
    try:
        async with asyncio.timeout(grace):
            while running := await _running(envoy):
                log.debug("calls that run in Envoy: %d", running)
                await asyncio.sleep(_POLL)
    except TimeoutError:
        log.warning("calls cut after %g s: %d", grace, await _running(envoy))


async def _running(envoy: PyvoyServer) -> int:
    """How many calls Envoy has."""
    found = json.loads(await _ask(envoy, "stats?format=json&filter=downstream_rq_active"))
    # Its own administration asks too, and is a call while it does.
    return sum(
        int(stat["value"])
        for stat in found["stats"]
        if "value" in stat and not stat["name"].startswith("http.admin.")
    )


async def _ask(envoy: PyvoyServer, path: str, method: str = "GET") -> bytes:
    # The address is no part of what pyvoy promises; `stop` alone would cut calls.
    request = urllib.request.Request(f"http://{envoy._admin_address}/{path}", method=method)

    def ask() -> bytes:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  on loopback
            data: bytes = answer.read()
            return data

    return await asyncio.to_thread(ask)
