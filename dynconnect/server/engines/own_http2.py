"""Our HTTP/2 as every engine sets it up."""

from __future__ import annotations

from dynconnect.server.engines.settings import Settings
from dynconnect.server.http2 import Limits

LAST_WORDS = 5.0
"""Seconds that a connection has beyond `grace`: the engine cuts its calls before it ends by itself."""


def limits(settings: Settings) -> Limits:
    """What one connection may cost, by *settings*; the rest is `Limits`' own."""
    return Limits(
        idle_timeout=settings.idle_timeout,
        max_concurrent_streams=settings.streams_max,
        header_list_bytes=settings.head_max_bytes,
    )
