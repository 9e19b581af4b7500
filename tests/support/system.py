"""Calls to the server's own services, in memory: messages of the system schema, by each protocol."""

from __future__ import annotations

import json
from typing import Any

from support.asgi import Request, http_scope
from support.dialects import Dialect, Outcome

from dynconnect.schema.method import Method
from dynconnect.schema.schema import system
from dynconnect.server.asgi import Server

CHECK, WATCH, LIST = (f"/grpc.health.v1.Health/{name}" for name in ("Check", "Watch", "List"))
REFLECT = tuple(f"/grpc.reflection.{v}.ServerReflection/ServerReflectionInfo" for v in ("v1", "v1alpha"))


class SystemCall:
    """One call to the method at *path*, whose requests are keyword arguments of its message."""

    def __init__(self, app: Server, dialect: Dialect, path: str, **scope: object) -> None:
        self.method: Method = system().methods[path]
        self._dialect = dialect
        self._streaming = self.method.streaming
        self.request = Request(app, http_scope(path, headers=dialect.head(self._streaming), **scope))
        self._taken = 0

    def send(self, **fields: object) -> SystemCall:
        """A request arrives."""
        data = self.method.input(**fields).SerializeToString()
        self.request.push(self._dialect.pack(data, self._streaming))
        return self

    def end(self) -> SystemCall:
        self.request.end()
        return self

    def start(self) -> SystemCall:
        self.request.start()
        return self

    async def next(self) -> Any:
        """The next response of a stream, once it has come."""
        pieces = await self.request.messages(self._taken + 1)
        data = [data for piece in pieces for data in self._dialect.unpack(piece, self._streaming)]
        self._taken += 1
        return self.method.output.FromString(data[self._taken - 1])

    async def outcome(self) -> Outcome:
        """What the call came to."""
        await self.request.finished()
        return self._dialect.read(self.request.answer, self._streaming)

    def messages(self, outcome: Outcome) -> list[Any]:
        return [self.method.output.FromString(data) for data in outcome.messages]


async def unary(app: Server, dialect: Dialect, path: str, **fields: object) -> tuple[Outcome, Any]:
    """The outcome of a call with one request, and its one response, or None."""
    call = SystemCall(app, dialect, path).send(**fields).end().start()
    outcome = await call.outcome()
    return outcome, next(iter(call.messages(outcome)), None)


async def unary_json(app: Server, path: str, body: object) -> tuple[int, Any]:
    """HTTP status and document that a client without any schema gets."""
    head = {"content-type": "application/json"}
    request = Request(app, http_scope(path, headers=head, http_version="1.1"))
    answer = await request.end(json.dumps(body).encode()).run()
    return answer.status, json.loads(answer.body)
