"""The ASGI scope of a request (ASGI 3, HTTP 2.4)."""

import asyncio
from typing import Any

from dynconnect.server.http2.heads import Head
from dynconnect.server.http2.stream import Message

Address = tuple[str, int | None]


class Scopes:
    """Makes one connection's scopes: what all its requests share is put together once."""

    __slots__ = ("_shared", "_state", "_tls")

    def __init__(
        self,
        scheme: str,
        client: Address | None,
        server: Address | None,
        state: dict[str, Any] | None,
        tls: dict[str, Any] | None,
    ) -> None:
        self._state, self._tls = state, tls
        self._shared: Message = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "2",
            "scheme": scheme,
            "root_path": "",
            "client": client,
            "server": server,
        }

    def complete(self, transport: asyncio.BaseTransport) -> None:
        """Takes the addresses that were not given from *transport*."""
        for key, name in (("client", "peername"), ("server", "sockname")):
            if self._shared[key] is None:
                self._shared[key] = _address(transport.get_extra_info(name))

    def make(self, head: Head) -> Message:
        """The scope of one request; the application may change it."""
        # "dynconnect.early_response": the answer may come before the request has ended, and the rest of the
        # request need not be read.
        extensions: dict[str, Any] = {"http.response.trailers": {}, "dynconnect.early_response": {}}
        scope: Message = {
            **self._shared,
            "method": head.method,
            "path": head.path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "headers": list(head.headers),
            "extensions": extensions,
        }
        # A copy for each request, as ASGI's lifespan state says: what one call adds, others do not see.
        if self._state is not None:
            scope["state"] = self._state.copy()
        if self._tls is not None:
            extensions["tls"] = self._tls
        return scope


def _address(name: object) -> Address | None:
    """ASGI's form of a socket's name."""
    if isinstance(name, tuple):
        return str(name[0]), int(name[1])
    return (name, None) if isinstance(name, str) and name else None
