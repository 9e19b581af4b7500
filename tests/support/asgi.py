"""The other side of ASGI, in memory: a server and its client for one request.

There is no network and no time: a test pushes pieces of a request when it likes, sees each message
that the application sends, and may hold or break the way back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Self

from support.dialects import Answer

from dynconnect.server.asgi import EARLY_RESPONSE

TRAILERS = "http.response.trailers"
GUARD = 30.0
"""Seconds after which a test that waits has failed."""


def http_scope(
    path: str,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | list[tuple[str, str]] = (),
    query: str = "",
    http_version: str = "2",
    trailers: bool = True,
    early: bool = True,
    **more: object,
) -> dict[str, object]:
    """The scope of a request; *trailers* and *early* say what the server can do."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    extensions = {name: {} for name, on in ((TRAILERS, trailers), (EARLY_RESPONSE, early)) if on}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": http_version,
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "client": ("192.0.2.7", 50123),
        "server": ("192.0.2.1", 8080),
        "extensions": extensions,
        **more,
    }


class Request:
    """One request to *app*: what the server under it and the client beyond would do.

    Attributes:
        sent: the messages that the application sent and the server took.
        holding: how many `send` calls wait because of `hold`.
        asking: how many `receive` calls wait for the client.
        taken: bytes of the body that the application received.
    """

    def __init__(self, app: Callable, scope: Mapping[str, object]) -> None:
        self.scope = dict(scope)
        self.sent: list[dict] = []
        self.holding = self.asking = self.taken = 0
        self._app = app
        self._incoming: deque[dict] = deque()
        self._gate: asyncio.Event | None = None
        self._broken: BaseException | None = None
        self._gone = False
        self._changed = asyncio.Event()

    # What the test does.

    def push(self, data: bytes = b"", *, more: bool = True) -> Self:
        """A piece of the body arrives."""
        self._incoming.append({"type": "http.request", "body": data, "more_body": more})
        self._notify()
        return self

    def end(self, data: bytes = b"") -> Self:
        """The last piece of the body arrives."""
        return self.push(data, more=False)

    def disconnect(self) -> None:
        """The client goes."""
        self._gone = True
        self._notify()

    def hold(self) -> None:
        """From now on `send` waits, like a server whose client does not read."""
        self._gate = asyncio.Event()

    def release(self) -> None:
        gate, self._gate = self._gate, None
        gate.set()

    def fail(self, exc: BaseException) -> None:
        """From now on `send` raises *exc*."""
        self._broken = exc

    def start(self) -> Self:
        self.task = asyncio.get_running_loop().create_task(self._app(self.scope, self.receive, self.send))
        self.task.add_done_callback(lambda _: self._notify())
        return self

    async def run(self) -> Answer:
        """Start, and wait for the end."""
        return await self.start().finished()

    async def finished(self) -> Answer:
        """The answer, once the application has returned; what it raised, if it did."""
        async with asyncio.timeout(GUARD):
            await self.task
        return self.answer

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(GUARD):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def head(self) -> dict:
        """Wait until the head has been sent; its message."""
        await self.until(lambda: self.of("http.response.start"))
        return self.of("http.response.start")[0]

    async def messages(self, count: int) -> list[dict]:
        """Wait until *count* pieces of the body that hold something have been sent."""
        await self.until(lambda: len(self.pieces) >= count)
        return self.pieces

    # What came of it.

    def of(self, kind: str) -> list[dict]:
        return [message for message in self.sent if message["type"] == kind]

    @property
    def pieces(self) -> list[bytes]:
        """The pieces of the answer's body that hold something."""
        return [message["body"] for message in self.of("http.response.body") if message["body"]]

    @property
    def complete(self) -> bool:
        """Whether all of the answer has been sent."""
        heads, bodies = self.of("http.response.start"), self.of("http.response.body")
        if not (heads and bodies) or bodies[-1].get("more_body", False):
            return False
        return bool(self.of(TRAILERS)) or not heads[0].get("trailers", False)

    @property
    def answer(self) -> Answer:
        assert self.complete, self.sent
        head = self.of("http.response.start")[0]
        trailers = [pair for message in self.of(TRAILERS) for pair in message["headers"]]
        return Answer(head["status"], _text(head["headers"]), b"".join(self.pieces), _text(trailers))

    # What the application calls.

    async def receive(self) -> dict:
        while not (self._incoming or self._gone):
            self.asking += 1
            self._notify()
            try:
                self._changed.clear()
                await self._changed.wait()
            finally:
                self.asking -= 1
        if not self._incoming:
            return {"type": "http.disconnect"}
        message = self._incoming.popleft()
        self.taken += len(message["body"])
        self._notify()
        return message

    async def send(self, message: dict) -> None:
        if self._broken is not None:
            raise self._broken
        if self._gate is not None:
            self.holding += 1
            self._notify()
            try:
                await self._gate.wait()
            finally:
                self.holding -= 1
        self._check(message)
        self.sent.append(message)
        self._notify()

    def _check(self, message: dict) -> None:
        """What every ASGI server insists on."""
        assert not self.complete, f"{message} after the end"
        assert (message["type"] == "http.response.start") == (not self.sent), "one head, and it comes first"
        if message["type"] == TRAILERS:
            assert self.of("http.response.body")[-1].get("more_body", False) is False
        for name, value in message.get("headers", ()):
            assert isinstance(name, bytes), "names and values are bytes (A7)"
            assert isinstance(value, bytes), "names and values are bytes (A7)"
            assert name == name.lower()

    def _notify(self) -> None:
        self._changed.set()


def _text(pairs: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
