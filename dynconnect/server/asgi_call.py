"""The two ways of one ASGI call: the body as it comes in, and the answer as it goes out.

Source: ASGI HTTP specification 2.4, and its extension "HTTP Trailers".
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NoReturn, TypeAlias

from dynconnect.rpc.limits import Limits
from dynconnect.rpc.metadata import Metadata
from dynconnect.server.cancel_scope import CancelScope
from dynconnect.server.stepped import Waiting, resumed
from dynconnect.wire.events import Data, End, Event, Headers, Request, Response

# Any: ASGI defines its messages as dictionaries of what each type of message holds.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

WATCH_AFTER = 0.005
"""Seconds after which a call that waits wants to know whether its client is still there."""

TRAILERS = "http.response.trailers"
"""The extension of a server that can send HTTP trailers."""


class Body:
    """The body of a request, and the news that its client has gone.

    While the call itself waits for the body, it calls the server's `receive`. As soon as it waits
    for anything else (then `watch` is to be called), a task does so in its place, until the client
    goes: some servers stop a whole connection while one of its calls does not receive, and none can
    tell us otherwise that a client has gone. A call that never waits needs no task.

    Args:
        receive: the server's.
        limits: how much is read ahead, and how much is read and dropped.
    """

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive = receive
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._ended = False
        self._dropping = False
        self._closed = False
        self._receiving = False
        self._pump: asyncio.Task[None] | None = None
        self._watching: asyncio.TimerHandle | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self.disconnected = False
        self.scope = CancelScope()
        """Cancels the call when its client has gone."""

    async def read(self) -> bytes | None:
        """The next piece of the body; None once it has ended."""
        while True:
            if self._chunks:
                chunk = self._chunks.popleft()
                self._held -= len(chunk)
                if self._waiters:
                    self._wake()
                return chunk
            if self._ended:
                return None
            if self.disconnected:
                await self.lose()
            if self._pump is not None or self._receiving:
                await self._change()
                continue
            self._receiving = True
            try:
                self._take(await self._receive())
            except Exception as exc:  # noqa: BLE001  see `_failed`
                self._failed(exc)
            finally:
                self._receiving = False

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to read."""
        return self._ended and not self._chunks

    def was_read(self) -> None:
        """All of it has been read already, by another."""
        self._ended = True

    async def drain(self) -> None:
        """From now on read and drop; wait for the end of the body, within the limits of one call."""
        waits = not (self._dropping or self._ended or self.disconnected)
        self._drop()
        if not waits:
            return
        self._watch()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.drain_timeout):
                while not (self._ended or self.disconnected or self._held > self._limits.drain_max_bytes):
                    await self._change()

    async def close(self) -> None:
        """The call is over: receive no more. Whoever still reads finds the end."""
        self._closed = self._ended = True
        self._drop()
        if self._watching is not None:
            self._watching.cancel()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])

    async def lose(self) -> NoReturn:
        """The client has gone. Raises CancelledError, again and again for who swallows it."""
        self._client_gone()
        await asyncio.sleep(0)  # here if this very task has just been cancelled
        raise asyncio.CancelledError

    def _client_gone(self) -> None:
        if not self.disconnected:
            self.disconnected = True
            self._wake()
            self.scope.cancel()

    def watch(self) -> None:
        """The call waits: let a task receive, unless the call does so itself at the moment.

        Once the body has ended there is nothing to receive but the news that the client has gone, and most
        calls are over before that comes: so it is awaited only by those that go on for a while.
        """
        if self._pump is not None or self._receiving or self.disconnected or self._closed:
            return
        if not self._ended:
            self._pump = self._loop.create_task(self._receive_all())
        elif self._watching is None:
            self._watching = self._loop.call_later(WATCH_AFTER, self._watch)

    def _watch(self) -> None:
        if self._pump is None and not (self._receiving or self.disconnected or self._closed):
            self._pump = self._loop.create_task(self._receive_all())

    async def _receive_all(self) -> None:
        while not self.disconnected:
            try:
                self._take(await self._receive())
            except Exception as exc:  # noqa: BLE001  see `_failed`
                self._failed(exc)
            while self._held > self._limits.buffer_max_bytes and not self._dropping:
                await self._change()

    def _failed(self, exc: Exception) -> None:
        """Take what `receive` raised: servers differ in it, and all mean that the client has gone."""
        log.debug("receiving failed: %r", exc)
        self._client_gone()

    def _take(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            return self._client_gone()
        data = message.get("body", b"")
        if data:
            self._held += len(data)
            if not self._dropping:
                self._chunks.append(data)
        if not message.get("more_body", False):
            self._ended = True
        if self._waiters:
            self._wake()
        return None

    def _drop(self) -> None:
        self._dropping = True
        self._chunks.clear()
        self._held = 0
        self._wake()

    async def _change(self) -> None:
        """Wait until something arrives or is taken away."""
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()


class Answer:
    """Sends events as ASGI messages.

    Args:
        send: the server's.
        body: the request's, read to its end before an answer that leaves it unread is complete.
        limits: how long the client may take to read an outcome that is late.
        drains: False if the server copes with an answer that comes before its request has ended.
    """

    def __init__(self, send: Send, body: Body, limits: Limits, *, drains: bool) -> None:
        self.trailers = False
        """Whether the answer ends in HTTP trailers."""
        self._send = send
        self._body = body
        self._write_timeout = limits.write_timeout
        self._drains = drains
        self._torn = False

    async def __call__(self, events: Sequence[Event]) -> None:
        """Send *events*, the last one flushed."""
        # Before the head, if the end follows at once: a client that sees a head may stop sending, and
        # then close the connection under its own answer.
        if self._drains and events and isinstance(events[-1], End):
            await self._body.drain()
        await self._pass_on(in_asgi(events, trailers=self.trailers))

    async def _pass_on(self, messages: Iterable[Message], waits: Waiting | None = None) -> None:
        """Give *messages* to the server, after one that *waits* to be taken."""
        if self._torn and not self._body.disconnected:
            raise BrokenPipeError("the answer is broken off: sending a part of it was cancelled")
        passed = False
        try:
            if waits is not None:
                await resumed(waits)
            for message in messages:
                if self._body.disconnected:
                    await self._body.lose()
                await self._send(message)
            passed = True
        except Exception as exc:  # noqa: BLE001  servers differ in what they raise; all mean the same
            log.debug("sending failed: %r", exc)
            await self._body.lose()
        finally:
            # A deadline, say, has cut a message in two. What follows would not be understood: the
            # answer stays unfinished, and the server resets it.
            self._torn = self._torn or not passed

    async def finish(self, events: Sequence[Event], seconds: float | None) -> None:
        """Send *events*, the outcome, to a caller that waits *seconds* more; None is for ever.

        The limits grant it some time beyond that. What has not been read then never will be.
        """
        if self._torn:
            return
        with self._within(seconds):
            await self(events)

    async def go_on(self, waits: Waiting, messages: Iterable[Message], seconds: float | None) -> None:
        """Finish what has begun: a message that *waits* to be taken, and then *messages*."""
        with self._within(seconds):
            await self._pass_on(messages, waits)

    def _within(self, seconds: float | None) -> CancelScope:
        return self._body.scope.within(None if seconds is None else seconds + self._write_timeout)


def in_asgi(events: Sequence[Event], *, trailers: bool) -> list[Message]:
    """*events* in ASGI's words; *trailers* is whether the answer ends in HTTP trailers."""
    messages: list[Message] = []
    piece: bytes | None = None
    for event in events:
        # Not `match`: its patterns take three times as long, and there is one for each event of a call.
        if isinstance(event, Data):
            if piece:
                messages.append({"type": "http.response.body", "body": piece, "more_body": True})
            piece = event.data
        elif isinstance(event, Response):
            head = list(_raw(event.headers))
            start = {"type": "http.response.start", "status": event.status, "headers": head}
            messages.append({**start, "trailers": trailers})
            piece = b""  # some servers hold the head back until there is a piece of the body
        else:
            messages.append({"type": "http.response.body", "body": piece or b"", "more_body": False})
            if event.trailers is not None:
                messages.append({"type": "http.response.trailers", "headers": list(_raw(event.trailers))})
            return messages
    if piece is not None:
        messages.append({"type": "http.response.body", "body": piece, "more_body": True})
    return messages


def request_of(scope: Scope) -> Request:
    """The head of the request in *scope*."""
    # The raw path: an encoded slash is not a slash (Connect, "Unary-Request", Procedure-Name).
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1")
    if root := scope.get("root_path"):
        path = path.removeprefix(root.rstrip("/"))
    return Request(
        scope["method"],
        path,
        Metadata.of_raw(list(scope["headers"])),
        scope.get("query_string", b"").decode("latin-1"),
        scope.get("http_version", "1.1"),
    )


@lru_cache(maxsize=1024)
def _raw(headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """*headers* as ASGI wants them; most calls answer with a head that went out before."""
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
