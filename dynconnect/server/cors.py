"""CORS: which pages of other origins may call, and what their scripts may read of an answer.

An ASGI application round another one, so that whatever answers behind it, errors included, is
treated alike. Sources: Fetch standard, "HTTP extensions for CORS"; Connect, "CORS".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeAlias

from dynconnect.server.asgi_call import App, Message, Receive, Scope, Send

ANY = "*"

_ALLOW_METHODS = b"POST, GET"
_ALLOW_HEADERS = (
    "content-type",
    "connect-protocol-version",
    "connect-timeout-ms",
    "connect-content-encoding",
    "connect-accept-encoding",
    "content-encoding",
    "accept-encoding",
    "grpc-timeout",
    "grpc-message-type",
    "x-grpc-web",
    "x-user-agent",
)
_EXPOSE_HEADERS = (
    b"grpc-status",
    b"grpc-message",
    b"grpc-status-details-bin",
    b"content-encoding",
    b"connect-content-encoding",
)
# What scripts may read anyway, may never read, or have no use for.
_NOT_CUSTOM = frozenset(
    {
        *(b"cache-control", b"content-language", b"content-length", b"content-type", b"expires"),
        *(b"last-modified", b"pragma", b"set-cookie", b"set-cookie2", b"vary", b"date", b"server"),
        *(b"connection", b"keep-alive", b"transfer-encoding", b"trailer", b"upgrade"),
        *_EXPOSE_HEADERS,
    }
)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s@]+")
_NAMES = re.compile(rb"[0-9A-Za-z_.\-!#$&'*+^`|~%, \t]*")

_Headers: TypeAlias = list[tuple[bytes, bytes]]


def parse_origin(origin: str) -> bytes:
    """*origin* as browsers send it.

    Raises:
        ValueError: unless it is a scheme and a host, perhaps with a port, or ``*``, or ``null``.
    """
    text = origin.lower().rstrip("/")
    if text not in (ANY, "null") and not _ORIGIN.fullmatch(text):
        raise ValueError(f"{origin!r} is no origin: write scheme and host as in https://example.com, or *")
    return text.encode()


class Cors:
    """Lets pages of *origins* call *app*.

    Args:
        app: an ASGI application.
        origins: such as ``https://example.com``; ``*`` is every origin.
        allow_headers: request headers that scripts may set, besides those of the protocols; ``*``
            is whatever they ask for.
        allow_credentials: whether the browser may send cookies and client certificates along.
        max_age: seconds for which a browser may remember what it was told; browsers cap it at two
            hours or a day.

    Raises:
        ValueError: if one of *origins* is none.
    """

    def __init__(
        self,
        app: App,
        origins: Iterable[str],
        *,
        allow_headers: Iterable[str] = (),
        allow_credentials: bool = False,
        max_age: int = 7200,
    ) -> None:
        self._app = app
        checked = {parse_origin(origin) for origin in origins}
        self._any = ANY.encode() in checked
        self._origins = frozenset(checked)
        self._credentials = allow_credentials
        # "*" as a header would not do: it stops at Authorization, and at requests with credentials.
        names = [name.lower() for name in allow_headers]
        self._any_header = ANY in names
        self._allow_headers = [*_ALLOW_HEADERS, *(name for name in names if name != ANY)]
        self._max_age = str(max_age).encode()
        # With any origin and no credentials, every answer is the same for everybody.
        self._varies = allow_credentials or not self._any

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or let the application answer and say who may read it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        asked = dict(scope["headers"])
        allowed = self._allowed(asked.get(b"origin"))
        if scope["method"] == "OPTIONS" and b"origin" in asked and b"access-control-request-method" in asked:
            return await _answer(send, self._preflight(allowed, asked))

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._mark(list(message.get("headers", ())), allowed)}
            await send(message)

        return await self._app(scope, receive, send_with_cors)

    def _allowed(self, origin: bytes | None) -> bytes | None:
        """What to say to *origin*; None if it may not read the answer."""
        if not self._varies:
            return ANY.encode()
        return origin if origin is not None and (self._any or origin in self._origins) else None

    def _preflight(self, allowed: bytes | None, asked: dict[bytes, bytes]) -> _Headers:
        """The headers of the answer to a preflight; without a permission it is no error, just empty."""
        headers: _Headers = [
            (
                b"vary",
                b"origin, access-control-request-method, access-control-request-headers",
            )
        ]
        if allowed is None:
            return headers
        return [
            *headers,
            *self._who(allowed),
            (b"access-control-allow-methods", _ALLOW_METHODS),
            (
                b"access-control-allow-headers",
                self._headers(asked.get(b"access-control-request-headers", b"")),
            ),
            (b"access-control-max-age", self._max_age),
        ]

    def _who(self, allowed: bytes) -> Iterator[tuple[bytes, bytes]]:
        yield b"access-control-allow-origin", allowed
        if self._credentials:
            yield b"access-control-allow-credentials", b"true"

    def _headers(self, wanted: bytes) -> bytes:
        """The request headers that are allowed, of those *wanted* and all others, as a list."""
        names = list(self._allow_headers)
        if self._any_header and _NAMES.fullmatch(wanted):
            names += [name for part in wanted.decode().split(",") if (name := part.strip().lower())]
        return ", ".join(dict.fromkeys(names)).encode()

    def _mark(self, headers: _Headers, allowed: bytes | None) -> _Headers:
        """*headers* of an answer, with who may read it; untouched if the application says that itself."""
        names = tuple(name.lower() for name, _ in headers)
        if b"access-control-allow-origin" in names:
            return headers
        if self._varies:
            headers = _vary_by_origin(headers)
        if allowed is not None:
            headers += self._who(allowed)
            headers.append((b"access-control-expose-headers", _exposed(names)))
        return headers


def _vary_by_origin(headers: _Headers) -> _Headers:
    """*headers* that vary by origin, besides what the application lets them vary by."""
    found = [
        part.strip().lower()
        for name, value in headers
        if name.lower() == b"vary"
        for part in value.split(b",")
    ]
    return headers if {b"*", b"origin"} & set(found) else [*headers, (b"vary", b"origin")]


@lru_cache(maxsize=1024)
def _exposed(names: tuple[bytes, ...]) -> bytes:
    """The value of ``Access-Control-Expose-Headers`` for an answer with the headers *names*."""
    custom = dict.fromkeys(
        name for name in names if name not in _NOT_CUSTOM and not name.startswith(b"access-control-")
    )
    return b", ".join((*_EXPOSE_HEADERS, *custom))


async def _answer(send: Send, headers: _Headers) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
