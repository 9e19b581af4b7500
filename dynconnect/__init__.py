"""A Connect, gRPC and gRPC-Web server that needs no generated code.

What plugin authors import is here, and the two names that others need to embed a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynconnect.plugins.markers import interceptor, resource, rpc, service
from dynconnect.rpc.code import Code
from dynconnect.rpc.context import Context
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.rpc.handler import Interceptor, Requests, Responses, Stream
from dynconnect.rpc.limits import Limits
from dynconnect.rpc.metadata import Metadata

if TYPE_CHECKING:
    from dynconnect.server.asgi import Server, load

__all__ = [
    "Code",
    "ConnectError",
    "Context",
    "ErrorDetail",
    "Interceptor",
    "Limits",
    "Metadata",
    "Requests",
    "Responses",
    "Server",
    "Stream",
    "interceptor",
    "load",
    "resource",
    "rpc",
    "service",
]


def __getattr__(name: str) -> object:
    # Later, when someone asks: a plugin under a unit test needs no server.
    if name in ("Server", "load"):
        from dynconnect.server import asgi

        return getattr(asgi, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
