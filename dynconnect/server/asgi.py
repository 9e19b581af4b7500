"""The ASGI application: routes requests to calls, and hands on what is not a call.

This file, `asgi_call` and `asgi_lifespan` are the only ones that know ASGI.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping, Sequence

from dynconnect.live.build import Draft, prepare
from dynconnect.live.generation import Generation, Route
from dynconnect.live.generations import Generations
from dynconnect.rpc.code import Code
from dynconnect.rpc.context import Context
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.schema.json.options import parse_options
from dynconnect.schema.schema import Schema, system
from dynconnect.server import dispatch
from dynconnect.server.asgi_call import TRAILERS, Answer, App, Body, Receive, Scope, Send, request_of
from dynconnect.server.asgi_lifespan import lifespan
from dynconnect.server.asgi_unary import Begun, ShortWay
from dynconnect.server.feed import Feed
from dynconnect.server.routing import Match, Router
from dynconnect.server.services.services import Services
from dynconnect.server.services.statuses import Statuses
from dynconnect.server.stepped import stepped
from dynconnect.server.warming import Warmer
from dynconnect.wire.base import Offer
from dynconnect.wire.choose import Choice, Chooser
from dynconnect.wire.compression import Compression, available
from dynconnect.wire.events import Data, End, Event, Request, Response

log = logging.getLogger(__name__)

EARLY_RESPONSE = "dynconnect.early_response"
"""The extension of a server that copes with answers which come before their request has ended."""

GENERATION = "dynconnect-generation"
"""The response header that names the generation, where it is shown."""

_CODECS = ("proto", "json")


class Server:
    """An ASGI application that answers RPCs, and hands every other request to *fallback*.

    Args:
        generation: what to serve first. A draft is opened at the lifespan's startup, or at the first call
            where there is no lifespan.
        fallback: an ASGI application for paths that are no RPC's.
        limits: see `Limits`.
        compressions: by name, those on offer; by default all that are installed.
        require_connect_protocol_version: refuse Connect calls that do not name the version.
        http1_bidi: serve bidirectional streams over HTTP/1.1, where a client can't read before it
            has sent all; otherwise they are answered with 505, so that clients don't wait in vain.
        drain: seconds that calls of a replaced generation may go on; None lets them.
        reflect: which services reflection shows: patterns for their full names, as in a shell; all by
            default, and without any there is no reflection.
        dev: for development: a response header names the generation that answers, and health says of a
            service without handlers too that it serves.
        feed: is told what happens, for those who watch.
    """

    generations: Generations
    """What is served, to be swapped; calls that have begun keep theirs. A draft has to be opened first."""

    def __init__(
        self,
        generation: Generation | Draft,
        *,
        fallback: App | None = None,
        limits: Limits | None = None,
        compressions: Mapping[str, Compression] | None = None,
        require_connect_protocol_version: bool = False,
        http1_bidi: bool = True,
        drain: float | None = None,
        reflect: Sequence[str] = ("*",),
        dev: bool = False,
        feed: Feed | None = None,
    ) -> None:
        self.feed = feed
        self._drain = drain
        self._dev = dev
        self._services = Services(reflect, idle_serves=dev)
        self._warmer = Warmer()
        self._draft: Draft | None = None
        self._opening: asyncio.Task[Generation] | None = None
        if isinstance(generation, Draft):
            self._draft = generation
        else:
            self._begin_with(generation)
        self._fallback = fallback
        self._limits = limits or Limits()
        known = available() if compressions is None else compressions
        offer = Offer(self._limits, known, require_version=require_connect_protocol_version)
        chooser = Chooser(offer, _CODECS)
        self._router = Router(chooser, http1_bidi=http1_bidi)
        self._short = ShortWay(chooser.plain, GENERATION if dev else None, feed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; WebSockets are the fallback's, and the lifespan is its too."""
        if scope["type"] == "http":
            if self._draft is not None:
                await self._open(self._draft)
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await lifespan(scope, receive, send, fallback=self._fallback, begin=self._begin, end=self._end)
        elif self._fallback is not None:
            await self._fallback(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    def stop(self, grace: float) -> None:
        """Stop before long: health turns now, and calls that run after *grace* seconds get `unavailable`."""
        self._services.stop()
        if self.feed is not None:
            self.feed.close()
        asyncio.get_running_loop().call_later(grace, self._cut, grace)

    @property
    def statuses(self) -> Statuses:
        """Which services serve."""
        return self._services.statuses

    def wrap(self, app: App) -> Server:
        """This server with *app* behind it: ``quart_app.asgi_app = server.wrap(quart_app.asgi_app)``."""
        self._fallback = app
        return self

    async def not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is no RPC with 404, as a server without a fallback does."""
        await self._call(scope, receive, send).refuse(_not_found(request_of(scope)))

    async def _begin(self) -> None:
        if self._draft is not None:
            await self._open(self._draft)

    async def _end(self) -> None:
        await self.generations.aclose()

    def _cut(self, grace: float) -> None:
        if self._draft is None and (count := self.generations.cut()):
            log.warning("calls ended after %g s: %d", grace, count)

    async def _open(self, draft: Draft) -> None:
        """Begin with *draft*: it is opened once, whoever asks first, and others wait for it.

        Raises:
            FindingsError: it can't be, now and ever after.
        """
        if self._opening is None:
            self._opening = asyncio.create_task(draft.open())
        generation = await asyncio.shield(self._opening)
        if self._draft is not None:
            self._draft = None
            self._begin_with(generation)

    def _begin_with(self, first: Generation) -> None:
        self.generations = Generations(first, self._drain)
        self.generations.on_swap = self._swapped
        self._services.follow(self.generations)
        self._warmer.warm(first)

    def _swapped(self, generation: Generation) -> None:
        self._services.swapped(generation)
        self._warmer.warm(generation)
        if self.feed is not None:
            self.feed.swapped(generation.number)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = self._short.take(scope, receive, send, self.generations)
        if begun is not None:
            await self._long(begun, scope, begun.receive if begun.taken else receive, send)

    async def _long(self, begun: Begun, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on with any request."""
        request = request_of(scope)
        extensions = scope.get("extensions") or {}
        match = self._router.match(self._route(request.path), request, trailers=TRAILERS in extensions)
        if match is None:
            return await (self._fallback or self.not_found)(scope, receive, send)
        call = self._call(scope, receive, send)
        if isinstance(match, Response):
            return await call.refuse((match, End()))
        call.answer.trailers = match.choice.protocol.needs_trailers
        if match.route is None:
            return await call.refuse(_no_such_method(match.choice, request))
        if match.route.lasting:
            number = self.generations.current.number
            return await call.run(self._serving(number, system(), match, request, begun, call))
        generation = self.generations.enter(call.body.scope.cut)
        try:
            await call.run(self._serving(generation.number, generation.schema, match, request, begun, call))
        finally:
            self.generations.leave(generation, call.body.scope.cut)
        return None

    def _call(self, scope: Scope, receive: Receive, send: Send) -> _Call:
        extensions = scope.get("extensions") or {}
        return _Call(receive, send, self._limits, drains=EARLY_RESPONSE not in extensions)

    def _route(self, path: str) -> Route | None:
        """Where a call to *path* goes: to a handler, to our own services, or where nothing is bound."""
        generation = self.generations.current
        route = generation.routes.get(path)
        if route is not None and route.bound_by is not None:
            return route
        return self._services.find(generation, path) or route

    def _serving(
        self, number: int, schema: Schema, match: Match, request: Request, begun: Begun, call: _Call
    ) -> Coroutine[None, None, None]:
        """The call, to be run, in generation *number*."""
        if begun.started:
            call.body.was_read()
        if begun.waits is not None:
            return call.answer.go_on(begun.waits, begun.rest, dispatch.seconds_left(begun.context))
        route, choice = match
        assert route is not None  # noqa: S101  who calls has looked
        if begun.started:
            exchange, context, handler = begun.handed_over()
            context.send_headers_by(lambda: call.answer(exchange.head()))
            return dispatch.serve(
                schema, route, context, exchange, call.body, call.answer, handler, self.feed
            )
        exchange, scope = choice.open(request, streaming=route.method.streaming), begun.scope
        if self._dev:
            exchange.response_headers[GENERATION] = str(number)
        context = Context(
            route.method,
            choice.protocol.name,
            request.headers,
            http_method=request.method,
            query_string=request.query,
            response_headers=exchange.response_headers,
            response_trailers=exchange.response_trailers,
            client=scope.get("client"),
            server=scope.get("server"),
            generation=number,
            send_headers=lambda: call.answer(exchange.head()),
        )
        return dispatch.serve(schema, route, context, exchange, call.body, call.answer, feed=self.feed)


def _no_such_method(choice: Choice, request: Request) -> Sequence[Event]:
    exchange = choice.open(request, streaming=True)
    return exchange.end(ConnectError(Code.UNIMPLEMENTED, f"there is no method {request.path}"))


def _not_found(request: Request) -> Sequence[Event]:
    """404 in words, for a server without a fallback.

    Not as an RPC: by Connect's rules a client then sees ``unimplemented``, and not ``not_found``.
    """
    text = f"there is no method {request.path}; a method's path is /package.Service/Method\n".encode()
    length = str(len(text))
    head = Response(404, (("content-type", "text/plain; charset=utf-8"), ("content-length", length)))
    return (head, End()) if request.method == "HEAD" else (head, Data(text), End())


def load(
    schema: Sequence[str],
    plugins: Sequence[str] = (),
    *,
    config: str | None = None,
    protoc: str | None = None,
    json: Iterable[str] = (),
) -> Server:
    """A server of these schemas (sets, .proto files, globs, folders) and plugins (files, folders, modules).

    *config* is the file of the plugins' settings; without one it is ``dynconnect.toml``, if that is there.
    *protoc* compiles .proto files; without one it is whichever is found. *json* has the names of JSON
    options, as ``--json`` takes them.
    Plugins that have resources begin when the server does, at the lifespan's startup or the first call.

    Raises:
        FindingsError: with all that is wrong with them.
        ValueError: there is no such option.
    """
    draft = prepare(schema, plugins, config=config, protoc=protoc, json=parse_options(json))
    return Server(draft if draft.resources else draft.open_at_once())


class _Call:
    """The task of one request, cancelled when its client goes."""

    def __init__(self, receive: Receive, send: Send, limits: Limits, *, drains: bool) -> None:
        self.body = Body(receive, limits)
        self.answer = Answer(send, self.body, limits, drains=drains)

    async def refuse(self, events: Sequence[Event]) -> None:
        """Answer with *events* what is no call."""
        await self.run(self.answer.finish(events, None))

    async def run(self, serving: Coroutine[None, None, None]) -> None:
        try:
            await stepped(serving, self.body.watch)
        except asyncio.CancelledError:
            # Ours, because the client has gone, ends here; the server's goes on to the server.
            if not self.body.disconnected or self.body.scope.cancelled_by_others:
                raise
        finally:
            await self.body.close()
