"""One call through the dispatcher, with neither ASGI nor HTTP below it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from support import dialects, schema
from support.asgi import GUARD
from support.dialects import Dialect, Outcome

from dynconnect.rpc.context import Context
from dynconnect.rpc.handler import Handler, Interceptor
from dynconnect.rpc.limits import Limits
from dynconnect.rpc.metadata import Metadata
from dynconnect.server import dispatch
from dynconnect.server.cancel_scope import CancelScope
from dynconnect.wire.base import Offer
from dynconnect.wire.choose import Chooser
from dynconnect.wire.compression import available
from dynconnect.wire.events import Data, End, Event, Request, Response


class Peer:
    """The client of one call to *method*, which *handler* answers; every message is a `Note`.

    Attributes:
        flushes: the events of the answer, in the groups in which they were sent.
    """

    def __init__(
        self,
        dialect: Dialect,
        method: str,
        handler: Handler | None,
        *interceptors: Interceptor,
        headers: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._dialect = dialect
        self._streaming = method not in schema.UNARY
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.flushes: list[Sequence[Event]] = []
        self._changed = asyncio.Event()
        self.disconnected = False
        self.ended = False  # the end of the body always comes by itself
        self._generation = schema.generation({method: handler} if handler else {}, *interceptors)
        self._route = self._generation.routes[schema.path(method)]
        head = Metadata({**dialect.head(self._streaming), **(headers or {})})
        chooser = Chooser(Offer(limits or Limits(), available()), ("proto", "json"))
        choice = chooser.post(head["content-type"], streaming=self._streaming)
        request = Request("POST", schema.path(method), head)
        self._exchange = choice.open(request, streaming=self._streaming)
        self._context = Context(
            self._route.method,
            dialect.name,
            head,
            response_headers=self._exchange.response_headers,
            response_trailers=self._exchange.response_trailers,
            send_headers=lambda: self(self._exchange.head()),
        )

    def send(self, *texts: str, end: bool = False) -> Peer:
        """Messages arrive, each in a piece of its own; with *end*, then the end."""
        for text in texts:
            self.push(self._dialect.pack(schema.packed(text), self._streaming))
        return self.end() if end else self

    def push(self, piece: bytes) -> Peer:
        self._pieces.put_nowait(piece)
        return self

    def end(self) -> Peer:
        self._pieces.put_nowait(None)
        return self

    def start(self) -> Peer:
        self.task = asyncio.get_running_loop().create_task(self._serve())
        return self

    async def _serve(self) -> None:
        self.scope = CancelScope()
        await dispatch.serve(self._generation.schema, self._route, self._context, self._exchange, self, self)

    async def outcome(self) -> Outcome:
        """What the call came to, in time."""
        async with asyncio.timeout(GUARD):
            await (self.task if hasattr(self, "task") else self.start().task)
        return self._dialect.read(self._http_answer(), self._streaming)

    async def texts(self, count: int) -> list[str]:
        """Wait for *count* messages of a stream; the texts of all that came."""
        async with asyncio.timeout(GUARD):
            while len(found := self._messages()) < count:
                self._changed.clear()
                await self._changed.wait()
        return [schema.unpacked(data).text for data in found]

    async def read(self) -> bytes | None:
        """The body, as the dispatcher sees it."""
        return await self._pieces.get()

    async def __call__(self, events: Sequence[Event]) -> None:
        """The way back, as the dispatcher sees it."""
        if events:
            self.flushes.append(events)
            self._changed.set()

    async def finish(self, events: Sequence[Event], seconds: float | None) -> None:
        """The end of the way back."""
        await self(events)

    def _messages(self) -> list[bytes]:
        pieces = [event.data for events in self.flushes for event in events if isinstance(event, Data)]
        return [data for piece in pieces for data in self._dialect.unpack(piece, self._streaming)]

    def _http_answer(self) -> dialects.Answer:
        (status, headers), *events, end = [event for events in self.flushes for event in events]
        assert isinstance(end, End)
        assert not any(isinstance(event, Response | End) for event in events), "one head and one end"
        return dialects.Answer(
            status, list(headers), b"".join(event.data for event in events), list(end.trailers or ())
        )


def texts(outcome: Outcome) -> list[str]:
    """The texts of the messages of a call that succeeded."""
    assert outcome.code == "ok", outcome
    return [schema.unpacked(data).text for data in outcome.messages]
