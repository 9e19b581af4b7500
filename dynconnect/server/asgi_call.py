"""The two ways of one ASGI call: the body as it comes in, and the answer as it goes out.

Source: ASGI HTTP specification 2.4, and its extension "HTTP Trailers".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeAlias

from dynconnect.rpc.limits import Limits
from dynconnect.wire.events import Data, End, Event, Headers, Response

# Any: ASGI defines its messages as dictionaries of what each type of message holds.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class Body:
    """The body of a request, and the news that its client has gone.

    While the call itself waits for the body, it calls the server's `receive`. As soon as it waits
    for anything else, a task does so in its place, until the client goes: some servers stop a whole
    connection while one of its calls does not receive, and none can tell us otherwise that a client
    has gone. A call that never waits needs no task.

    Args:
        receive: the server's.
        limits: how much is read ahead, and how much is read and dropped.
        on_disconnect: called once, when the client has gone.
    """

    def __init__(self, receive: Receive, limits: Limits, on_disconnect: Callable[[], object]) -> None:
        self._receive = receive
        self._limits = limits
        self._on_disconnect = on_disconnect
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._ended = False
        self._dropping = False
        self._receiving = False
        self._pump: asyncio.Task[None] | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self.disconnected = False
        self._watch_soon = self._loop.call_soon(self._watch)

    async def read(self) -> bytes | None:
        """The next piece of the body; None once it has ended."""
        while True:
            if self._chunks:
                chunk = self._chunks.popleft()
                self._held -= len(chunk)
                self._wake()
                return chunk
            if self._ended:
                return None
            if self._pump is None and not self._receiving:
                await self._receive_here()
            else:
                await self._change()

    async def drain(self) -> None:
        """From now on read and drop; wait for the end of the body, within the limits."""
        self._drop()
        if self._ended or self.disconnected:
            return
        self._watch()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.drain_timeout):
                while not (self._ended or self.disconnected or self._held > self._limits.drain_max_bytes):
                    await self._change()

    async def close(self) -> None:
        """The call is over: receive no more."""
        self._watch_soon.cancel()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])

    def client_gone(self) -> None:
        """Say once that the client has gone."""
        if not self.disconnected:
            self.disconnected = True
            self._wake()
            self._on_disconnect()

    def _watch(self) -> None:
        """Let a task receive, unless the call does so itself at the moment."""
        if self._pump is None and not self._receiving and not self.disconnected:
            self._pump = self._loop.create_task(self._receive_all())

    async def _receive_here(self) -> None:
        self._receiving = True
        try:
            self._take(await self._receive())
        finally:
            self._receiving = False
            self._watch_soon.cancel()
            self._watch_soon = self._loop.call_soon(self._watch)
        if self.disconnected:
            await self._loop.create_future()  # until the cancellation arrives

    async def _receive_all(self) -> None:
        while not self.disconnected:
            try:
                message = await self._receive()
            except Exception:  # noqa: BLE001  servers differ in what they raise; all mean the same
                return self.client_gone()
            self._take(message)
            while self._held > self._limits.buffer_max_bytes and not self._dropping:
                await self._change()
        return None

    def _take(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            return self.client_gone()
        data = message.get("body", b"")
        if data:
            self._held += len(data)
            if not self._dropping:
                self._chunks.append(data)
        if not message.get("more_body", False):
            self._ended = True
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
        drains: False if the server copes with an answer that comes before its request has ended.
    """

    def __init__(self, send: Send, body: Body, *, drains: bool) -> None:
        self.trailers = False
        """Whether the answer ends in HTTP trailers."""
        self._send = send
        self._body = body
        self._drains = drains
        self._torn = False

    async def __call__(self, events: Sequence[Event]) -> None:
        """Send *events*, the last one flushed."""
        piece: bytes | None = None
        for event in events:
            match event:
                case Response(status, headers):
                    await self._start(status, headers)
                    piece = b""  # some servers hold the head back until there is a piece of the body
                case Data(data):
                    if piece:
                        await self._piece(piece, more=True)
                    piece = data
                case End(trailers):
                    return await self._end(piece or b"", trailers)
        if piece is not None:
            await self._piece(piece, more=True)
        return None

    async def _start(self, status: int, headers: Headers) -> None:
        if status >= 300 and self._drains:
            await self._body.drain()
        await self._pass_on(
            {
                "type": "http.response.start",
                "status": status,
                "headers": list(_raw(headers)),
                "trailers": self.trailers,
            }
        )

    async def _end(self, data: bytes, trailers: Headers | None) -> None:
        if self._drains:
            await self._body.drain()
        await self._piece(data, more=False)
        if trailers is not None:
            await self._pass_on({"type": "http.response.trailers", "headers": list(_raw(trailers))})

    async def _piece(self, data: bytes, *, more: bool) -> None:
        await self._pass_on({"type": "http.response.body", "body": data, "more_body": more})

    async def _pass_on(self, message: Message) -> None:
        if self._torn:
            # A deadline cut a piece in two. Nothing that follows would be understood: leaving the
            # answer unfinished makes the server reset it.
            return
        self._torn = True
        try:
            await self._send(message)
        except Exception:  # noqa: BLE001  servers differ in what they raise; all mean the same
            self._body.client_gone()
            await asyncio.get_running_loop().create_future()  # until the cancellation arrives
        self._torn = False


@lru_cache(maxsize=1024)
def _raw(headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """*headers* as ASGI wants them; most calls answer with a head that went out before."""
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
