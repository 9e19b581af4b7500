"""Calls over HTTP, by pyqwest: HTTP/1.1, HTTP/2 with and without TLS, and trailers.

Only here: pyqwest.
"""

from __future__ import annotations

import atexit
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import pyqwest

from dynconnect.client.transport import Body
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.events import Data, End, Event, Headers, Request, Response

Pem: TypeAlias = Path | bytes
"""A file, or what would be in it."""
Version: TypeAlias = Literal["1.1", "2", "3"]
_VERSIONS: Mapping[str, pyqwest.HTTPVersion] = {
    "1.1": pyqwest.HTTPVersion.HTTP1,
    "2": pyqwest.HTTPVersion.HTTP2,
    "3": pyqwest.HTTPVersion.HTTP3,
}
_RESET = pyqwest.StreamErrorCode
# gRPC over HTTP/2, "HTTP2 Transport Mapping", Errors. What is not here is INTERNAL.
_RESETS = {
    _RESET.REFUSED_STREAM: Code.UNAVAILABLE,
    _RESET.CANCEL: Code.CANCELED,
    _RESET.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
    _RESET.INADEQUATE_SECURITY: Code.PERMISSION_DENIED,
}


# pyqwest's threads may still let go of Python's objects when the interpreter has begun to end, and then abort
# it (0.12, about once in 60 short programs). A moment later they have done so.
atexit.register(time.sleep, 0.02)


class HttpTransport:
    """A pool of connections to the server at *url*.

    Args:
        url: ``http://host:port`` or ``https://``, perhaps with a path that stands before every method's.
        version: of HTTP. By default TLS decides, and without TLS it is 1.1.
        ca: of the authorities that may have signed the server's certificate, in PEM; by default those that
            the system trusts.
        cert: the certificate of this client, in PEM, with `key`.
    """

    def __init__(
        self,
        url: str,
        *,
        version: Version | None = None,
        ca: Pem | None = None,
        cert: Pem | None = None,
        key: Pem | None = None,
        connect_timeout: float = 10.0,
    ) -> None:
        self._url = url.rstrip("/")
        self._transport = pyqwest.HTTPTransport(
            http_version=None if version is None else _VERSIONS[version],
            tls_ca_cert=_read(ca),
            tls_include_system_certs=ca is None,
            tls_cert=_read(cert),
            tls_key=_read(key or cert),
            connect_timeout=connect_timeout,
            # The protocols have their own compression, and an RPC is never somewhere else.
            enable_gzip=False,
            enable_brotli=False,
            enable_zstd=False,
            follow_redirects=False,
            enable_otel=False,
        )

    async def events(self, request: Request, body: Body) -> AsyncGenerator[Event, None]:
        """The events of the answer; see `Transport`."""
        url = f"{self._url}{request.path}{'?' if request.query else ''}{request.query}"
        headers = pyqwest.Headers(request.headers.allitems())
        content = None if request.method == "GET" else body
        try:
            async with contextlib.aclosing(
                await self._transport.execute(pyqwest.Request(request.method, url, headers, content))
            ) as answer:
                yield Response(answer.status, _pairs(answer.headers))
                async for piece in answer.content:
                    yield Data(bytes(piece))
                yield End(_pairs(answer.trailers) or None)
        except pyqwest.StreamError as exc:
            code = _RESETS.get(exc.code, Code.INTERNAL)
            raise ConnectError(code, f"{self._url} ended the call: {exc.code.name}") from exc
        except (OSError, pyqwest.RemoteProtocolError, pyqwest.ReadError, pyqwest.WriteError) as exc:
            raise ConnectError(Code.UNAVAILABLE, f"{self._url}: {_said(exc)}") from exc

    async def aclose(self) -> None:
        """Let go of all connections."""
        await self._transport.aclose()


def _pairs(headers: pyqwest.Headers) -> Headers:
    return tuple(headers.items())


def _read(pem: Pem | None) -> bytes | None:
    return pem.read_bytes() if isinstance(pem, Path) else pem


def _said(exc: BaseException) -> str:
    """What *exc* says, down to its first cause."""
    said = [str(exc) or type(exc).__name__]
    while (cause := exc.__cause__) is not None:
        exc = cause
        if str(exc) not in said[-1]:
            said.append(str(exc))
    return ": ".join(said)
