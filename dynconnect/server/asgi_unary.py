"""The short way of a unary call: the whole request is there, and nothing about it is unusual.

No task watches for the client of such a call, no timer runs and no exchange is made: none of them could do
anything before the handler waits for something. So it costs a third of the long way. A call that turns out to
be of another kind goes on by the long way from where it is; nothing that has begun is begun again.
"""

from __future__ import annotations

import asyncio
import logging
import time
import types
from collections.abc import Awaitable, Generator, Mapping, Sequence
from typing import Any

from dynconnect.live.generation import Generation, Route
from dynconnect.live.generations import Generations
from dynconnect.rpc.context import Context
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.server import dispatch
from dynconnect.server.asgi_call import TRAILERS, Message, Receive, Scope, Send, in_asgi, request_of
from dynconnect.server.feed import Feed
from dynconnect.server.stepped import Waiting, first_step, resumed
from dynconnect.wire.base import Exchange
from dynconnect.wire.plain import Plain, Told

log = logging.getLogger(__name__)


class Begun:
    """How far a call has come on the short way.

    Attributes:
        scope: its own.
        taken: what the server had of the request: messages, and then the wait for one, or why there is none.
        started: whether its handler has begun; only then there are `plain`, which says what kind of a plain
            call it is, and `context`.
        handler: the rest of the handler, which waits or has failed; None once it has ended.
        exchange: the one that was needed so far.
        waits: the sending of a part of the answer, if that waits, and `rest`, the parts behind it.
    """

    __slots__ = (
        "_receive",
        "_send",
        "context",
        "exchange",
        "handler",
        "plain",
        "rest",
        "scope",
        "started",
        "taken",
        "waits",
    )

    plain: Plain
    context: Context

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.taken: list[Message | Waiting | Exception] = []
        self.started = False
        self.handler: Awaitable[Any] | None = None  # Any: a message class made at run time
        self.exchange: Exchange | None = None
        self.waits: Waiting | None = None
        self.rest: Sequence[Message] = ()

    def take_body(self, max_bytes: int) -> bytes | None:
        """The body, if all of it is there and it is not longer."""
        parts: list[bytes] = []
        size = 0
        while size <= max_bytes:
            try:
                message, waits = first_step(self._receive())
            except Exception as exc:  # noqa: BLE001  it means that the client has gone: the long way knows
                self.taken.append(exc)
                return None
            self.taken.append(message if waits is None else waits)
            if waits is not None or message["type"] != "http.request":
                return None
            part = message.get("body", b"")
            parts.append(part)
            if not message.get("more_body"):
                return part if len(parts) == 1 else b"".join(parts)
            size += len(part)
        return None

    async def receive(self) -> Message:
        """What the server has of the request; first, once more, what was taken."""
        if not self.taken:
            return await self._receive()
        taken = self.taken.pop(0)
        if isinstance(taken, Waiting):
            message: Message = await resumed(taken)
            return message
        if isinstance(taken, Exception):
            raise taken
        return taken

    def send(self, messages: Sequence[Message]) -> bool:
        """Send as many of *messages* as the server takes at once; whether these are all."""
        for at, message in enumerate(messages):
            try:
                _, self.waits = first_step(self._send(message))
            except Exception as exc:  # noqa: BLE001  servers differ in what they raise; all mean the same
                log.debug("sending failed: %r", exc)
                return True
            if self.waits is not None:
                self.rest = messages[at + 1 :]
                return False
        return True

    async def send_headers(self) -> None:
        """Send the response headers, before the handler has ended."""
        for message in in_asgi(self.opened().head(), trailers=self.plain.needs_trailers):
            await self._send(message)

    def handed_over(self) -> tuple[Exchange, Context, Awaitable[Any] | None]:  # Any: as above
        """All that the long way needs of a handler that has begun."""
        exchange, context, handler = self.opened(), self.context, self.handler
        del self.context, self.handler  # both lead back here
        return exchange, context, handler

    def opened(self) -> Exchange:
        """The exchange, with the metadata of the context."""
        if self.exchange is None:
            self.exchange = self.plain.open(request_of(self.scope))
            self.exchange.start()
        self.exchange.response_headers = self.context.response_headers
        self.exchange.response_trailers = self.context.response_trailers
        return self.exchange


class ShortWay:
    """Takes calls as far as they go without waiting.

    Args:
        plain: the plain calls, by content type.
        header: one of the answer that names the generation; None for none.
        feed: hears how calls end, if there is one.
    """

    def __init__(self, plain: Mapping[bytes, Plain], header: str | None, feed: Feed | None = None) -> None:
        self._plain = plain
        self._header = header
        self._feed = feed

    def take(self, scope: Scope, receive: Receive, send: Send, generations: Generations) -> Begun | None:
        """How far it has come with a call; None if that has been answered."""
        begun = Begun(scope, receive, send)
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        plain = self._plain.get(headers.get(b"content-type", b""))
        if plain is None or len(headers) != len(scope["headers"]) or not _is_usual(scope, plain):
            return begun
        generation = generations.current
        route = generation.routes.get(_path(scope))
        if route is None or route.direct is None:
            return begun
        body = begun.take_body(plain.offer.limits.read_max_bytes)
        asked = None if body is None else plain.ask(headers, body)
        if asked is None or asked.timeout == 0:
            return begun
        codec = route.codecs[plain.codec]
        try:
            request = codec.decode(asked.message, route.method.input)
        except ConnectError:
            return begun  # to be found once more, and told, by the long way
        begun.taken.clear()
        began = time.perf_counter()
        begun.started, begun.plain = True, plain
        begun.context = context = self._context(begun, generation, route, asked.timeout)
        generations.enter(self._cut)
        try:
            response, waits = first_step(route.direct(request, context))
            data = b"" if waits else codec.encode(response)
        except (Exception, asyncio.CancelledError) as exc:  # noqa: BLE001  the long way has the one gate
            begun.handler = _failed(exc)
            return begun
        finally:
            generations.leave(generation, self._cut)
        if waits is not None:
            begun.handler = resumed(waits)
            return begun
        context.send_headers_by(None)  # too late; and without a cycle the call is freed at once
        sent = begun.send(_answer(begun, headers, data))
        dispatch.note(context, None, began, self._feed)
        return None if sent else begun

    def _context(self, begun: Begun, generation: Generation, route: Route, timeout: float | None) -> Context:
        scope = begun.scope
        context = Context(
            route.method,
            begun.plain.protocol,
            Metadata.of_raw(scope["headers"]),
            query_string=scope.get("query_string", b"").decode("latin-1"),
            client=scope.get("client"),
            server=scope.get("server"),
            generation=generation.number,
            send_headers=begun.send_headers,
        )
        if timeout is not None:
            context.start_deadline(timeout)
        if self._header is not None:
            context.response_headers[self._header] = str(generation.number)
        return context

    def _cut(self, _why: str) -> None:
        """Nobody can cut a call that does not wait."""


def _is_usual(scope: Scope, plain: Plain) -> bool:
    """Whether a request in *scope*, by all but its headers, may be plain."""
    if scope["method"] != "POST" or scope.get("root_path"):
        return False
    if not plain.needs_trailers:
        return True
    return scope["http_version"] in ("2", "3") and TRAILERS in (scope.get("extensions") or {})


def _path(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    path: str = scope["path"] if raw is None else raw.decode("latin-1")
    return path


@types.coroutine
def _failed(exc: BaseException) -> Generator[Any, Any, Any]:  # Any: nothing comes of it
    raise exc
    yield  # a coroutine without a complaint if nobody awaits it


def _answer(begun: Begun, headers: Mapping[bytes, bytes], data: bytes) -> Sequence[Message]:
    """The answer *data*, which may be no plain one."""
    plain = begun.plain
    bare = begun.exchange is None and begun.context.answers_bare
    told = plain.tell(headers, data) if bare else None
    if told is None:
        return in_asgi(dispatch.response(begun.opened(), data), trailers=plain.needs_trailers)
    return _told(told)


def _told(told: Told) -> Sequence[Message]:
    trailers = told.trailers
    messages: list[Message] = [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": list(told.head),
            "trailers": trailers is not None,
        },
        {"type": "http.response.body", "body": told.body, "more_body": False},
    ]
    if trailers is not None:
        messages.append({"type": "http.response.trailers", "headers": list(trailers)})
    return messages
