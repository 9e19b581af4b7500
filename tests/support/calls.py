"""Calls to the application over ASGI in memory."""

from __future__ import annotations

from collections.abc import Mapping

from support import schema
from support.asgi import Request, http_scope
from support.dialects import Dialect, Outcome
from support.handlers import HANDLERS

from dynconnect.rpc.handler import Handler
from dynconnect.server.asgi import Server


def serve(handlers: Mapping[str, Handler] = HANDLERS, **options: object) -> Server:
    """The application with these *handlers*, by method name."""
    return Server(schema.generation(handlers), **options)


class Call(Request):
    """A request whose answer a *dialect* can read."""

    def __init__(self, app: Server, dialect: Dialect, method: str, scope: Mapping[str, object]) -> None:
        super().__init__(app, scope)
        self._dialect = dialect
        self._streaming = method not in schema.UNARY

    def read(self) -> Outcome:
        """What the finished call came to."""
        return self._dialect.read(self.answer, self._streaming)


def call(
    app: Server,
    dialect: Dialect,
    method: str,
    *messages: str | bytes,
    end: bool = True,
    headers: Mapping[str, str] | None = None,
    **scope: object,
) -> Call:
    """A call to *method* whose messages, texts or bytes as they are, have arrived already."""
    streaming = method not in schema.UNARY
    head = {**dialect.head(streaming), **(headers or {})}
    request = Call(app, dialect, method, http_scope(schema.path(method), headers=head, **scope))
    for message in messages:
        raw = isinstance(message, bytes)
        request.push(message if raw else dialect.pack(schema.packed(message), streaming))
    return request.end() if end else request


async def outcome(request: Call) -> Outcome:
    """What *request* comes to."""
    await request.run()
    return request.read()


def get(app: Server, query: str, **scope: object) -> Request:
    """A GET of the method that has no side effects."""
    return Request(app, http_scope(schema.path("Look"), method="GET", query=query, **scope))
