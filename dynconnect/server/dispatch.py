"""One call, from its first byte to its outcome; the same for every protocol and shape."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any
from typing import Protocol as Interface

from dynconnect.live.generation import Route
from dynconnect.rpc.code import Code
from dynconnect.rpc.context import Context
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.handler import not_one
from dynconnect.schema.codec import Codec
from dynconnect.schema.schema import Schema
from dynconnect.server.cancel_scope import CancelScope
from dynconnect.server.feed import Feed
from dynconnect.wire.base import Exchange
from dynconnect.wire.events import Event

log = logging.getLogger(__name__)

FAILED = "the handler failed; the server's log says why"
"""What a caller is told of an exception that was not raised for it."""
ERROR_ID = "dynconnect-error-id"
"""The trailing metadata that names the log entry of such an exception."""

_A_YEAR = 366 * 24 * 3600.0


class Body(Interface):
    """The body of a request, and the news that its client has gone."""

    scope: CancelScope
    """What cancels the call then."""
    disconnected: bool
    """Whether it has come."""

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to read."""

    async def read(self) -> bytes | None:
        """The next piece; None once it has ended."""


class Answer(Interface):
    """The way back to the client."""

    async def __call__(self, events: Sequence[Event]) -> None:
        """Send *events*, now."""

    async def finish(self, events: Sequence[Event], seconds: float | None) -> None:
        """Send *events*, the outcome, to a caller that waits *seconds* more; None is for ever."""


async def serve(
    schema: Schema,
    route: Route,
    context: Context,
    exchange: Exchange,
    body: Body,
    answer: Answer,
    begun: Awaitable[Any] | None = None,  # Any: a message class made at run time
    feed: Feed | None = None,
) -> None:
    """Run the call that *exchange* has begun. Never raises for what the peer or the handler did.

    *schema* has the types of error details. *begun* is what is left of a unary handler that runs already, and
    has its request. *feed* hears how the call ends.

    Cancellation passes through: whoever cancels has given the client up.
    """
    began = time.perf_counter()
    error = None
    held: Sequence[Event] = ()
    try:
        held = await _converse(route, context, exchange, body, answer, begun)
    except ConnectError as exc:
        error = schema.pack(exc) if _is_sound(exc) else _hide(exc, context)
    except asyncio.CancelledError as exc:
        if body.disconnected or body.scope.cancelled_by_others:
            note(context, Code.CANCELED, began, feed)
            raise
        # Not cut: the handler awaited something else that was cancelled, and its client would wait for ever.
        error = _cut(body.scope) if body.scope.cut_for else _hide(exc, context)
    except Exception as exc:  # noqa: BLE001  the one gate: whatever else a handler raises ends here
        error = _hide(exc, context)
    outcome = _outcome(exchange, error)
    left = None if exchange.timeout is None else seconds_left(context)
    await answer.finish((*held, *outcome) if held else outcome, left)
    note(context, None if error is None else error.code, began, feed)


def note(context: Context, code: Code | None, began: float, feed: Feed | None) -> None:
    """Tell those who want to know that a call has ended, with *code* if it failed.

    It *began* at that time of `time.perf_counter`.
    """
    if feed is None and not log.isEnabledFor(logging.DEBUG):
        return
    seconds = time.perf_counter() - began
    if feed is not None:
        feed.called(context, code, seconds)
    if log.isEnabledFor(logging.DEBUG):
        said = "ok" if code is None else code.value
        name = context.method.full_name
        log.debug("%s %s %s %.1f ms [%s]", context.protocol, name, said, seconds * 1000, context.id)


def response(exchange: Exchange, data: bytes) -> Sequence[Event]:
    """The events of the one response *data*, to a call of *exchange*, which has started."""
    try:
        held = exchange.send(data)
    except ConnectError as exc:
        return _outcome(exchange, exc)
    return (*held, *_outcome(exchange, None))


async def _converse(
    route: Route,
    context: Context,
    exchange: Exchange,
    body: Body,
    answer: Answer,
    begun: Awaitable[Any] | None,  # Any: as above
) -> Sequence[Event]:
    """Run the handler, and send what it streams; the events of a single response, which are not sent.

    They go out with the outcome: a caller does nothing with such a response before that.
    """
    exchange.start()
    codec = route.codecs[exchange.codec]
    if begun is None:
        context.start_deadline(exchange.timeout)
    timeout = None if exchange.timeout is None else seconds_left(context)
    expired = begun is None and timeout is not None and timeout <= 0
    response: Any = None  # Any: as above
    if not expired:
        requests = _Requests(exchange, codec, route.method.input, body)
        with body.scope.within(timeout):
            if route.method.server_streaming:
                await _stream(route, context, exchange, codec, requests, answer)
            elif begun is not None:
                response = await begun
            elif route.direct is not None:
                response = await route.direct(await requests.only(), context)
            else:
                response = await _single(route, context, requests)
        expired = body.scope.expired
    if expired:
        raise ConnectError(Code.DEADLINE_EXCEEDED, "the deadline passed")
    return () if route.method.server_streaming else exchange.send(codec.encode(response))


def seconds_left(context: Context) -> float | None:
    """The time until the deadline; None if there is none, or none to set a timer for.

    A timer a year ahead would change nothing, and some event loops refuse longer ones.
    """
    left = context.timeout_ms
    return None if left is None or left > _A_YEAR * 1000 else left / 1000


async def _stream(
    route: Route,
    context: Context,
    exchange: Exchange,
    codec: Codec,
    requests: _Requests,
    answer: Answer,
) -> None:
    async with aclosing(route.stream(requests, context)) as responses:
        async for response in responses:
            if events := exchange.send(codec.encode(response)):
                await answer(events)


async def _single(route: Route, context: Context, requests: _Requests) -> Any:  # Any: as above
    """The one response.

    Raises:
        ConnectError: INTERNAL if there is none, or another.
    """
    found: list[Any] = []
    async with aclosing(route.stream(requests, context)) as responses:
        async for response in responses:
            found.append(response)
            if len(found) > 1:
                break
    if len(found) != 1:
        what = "no response message" if not found else "more than one response message"
        raise ConnectError(Code.INTERNAL, f"{context.method.full_name} gave {what}")
    return found[0]


class _Requests:
    """The messages of a request.

    An object and not a generator: a handler may give up waiting for one message, by a timeout of its
    own, and ask again.
    """

    __slots__ = ("_body", "_codec", "_ended", "_exchange", "_input", "_messages")

    def __init__(self, exchange: Exchange, codec: Codec, input_: Any, body: Body) -> None:
        # Any: a message class made at run time
        self._exchange = exchange
        self._codec = codec
        self._input = input_
        self._body = body
        self._messages: Iterator[bytes] = iter(())
        self._ended = False

    def __aiter__(self) -> _Requests:
        return self

    async def __anext__(self) -> Any:  # Any: as above
        try:
            while (data := next(self._messages, None)) is None:
                if self._ended:
                    raise StopAsyncIteration
                self._messages = self._take(await self._body.read())
        except ConnectError:
            self._ended = True  # what follows a broken frame means nothing
            raise
        return self._codec.decode(data, self._input)

    async def only(self) -> Any:  # Any: as above
        """The one message there is.

        Raises:
            ConnectError: UNIMPLEMENTED if there is none, or another.
        """
        found = None
        while not self._ended:
            chunk = await self._body.read()
            if chunk is not None:
                found = self._one(found, self._exchange.receive(chunk))
            if chunk is None or self._body.ended:
                self._ended = True
                found = self._one(found, self._exchange.receive_end())
        if found is None:
            raise not_one("none")
        return found

    def _one(self, found: Any, parts: Iterable[bytes]) -> Any:  # Any: as above
        """*found*, or else the message in *parts*; not both."""
        for data in parts:
            if found is not None:
                raise not_one("more")
            found = self._codec.decode(data, self._input)
        return found

    def _take(self, chunk: bytes | None) -> Iterator[bytes]:
        if chunk is not None:
            return iter(self._exchange.receive(chunk))
        self._ended = True
        return iter(self._exchange.receive_end())


def _is_sound(error: ConnectError) -> bool:
    """Whether *error* can be written: not all handlers that raise one run a type checker."""
    return isinstance(error.code, Code) and isinstance(error.message, str)


def _hide(exc: BaseException, context: Context) -> ConnectError:
    """What the peer may know of *exc*; the rest goes to the log."""
    log.error("%s failed [%s]", context.method.full_name, context.id, exc_info=exc)
    return ConnectError(Code.UNKNOWN, FAILED, metadata={ERROR_ID: context.id})


def _cut(scope: CancelScope) -> ConnectError:
    return ConnectError(Code.UNAVAILABLE, scope.cut_for)


def _outcome(exchange: Exchange, error: ConnectError | None) -> Sequence[Event]:
    """The events of the outcome, *error* or one that keeps it from being written."""
    try:
        return exchange.end(error)
    except ConnectError as exc:
        return _outcome(exchange, exc)
