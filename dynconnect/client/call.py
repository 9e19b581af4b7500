"""One call as its caller sees it: requests in, responses out, and what came with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Self, TypeAlias

from google.protobuf.message import Message

from dynconnect.client.transport import Body, Transport
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.schema.messages import adopt, build
from dynconnect.schema.method import Method
from dynconnect.schema.schema import Schema
from dynconnect.wire.base import Call as Wire
from dynconnect.wire.events import End

# Any: message classes are made at run time.
Requests: TypeAlias = AsyncIterator[Any]


class Call:
    """The responses of a call, one after the other; made by a `Client`.

    Iterate over it to the end, or leave its ``async with``: that gives up what is left of the call.

    """

    def __init__(
        self,
        schema: Schema,
        method: Method,
        wire: Wire,
        codec: str,
        transport: Transport,
        requests: Requests,
        timeout: float | None,
    ) -> None:
        self._schema = schema
        self._method = method
        self._wire = wire
        self._codec = schema.codecs[codec]
        self._transport = transport
        self._requests = requests
        self._until = None if timeout is None else time.monotonic() + timeout
        self._fault: Exception | None = None
        self._answers = self._answer()

    @property
    def method(self) -> Method:
        """What is called."""
        return self._method

    @property
    def request_headers(self) -> Metadata:
        """All that is sent before the first request."""
        return self._wire.request.headers

    @property
    def response_headers(self) -> Metadata:
        """What came before the first response; complete once that is there."""
        return self._wire.response_headers

    @property
    def response_trailers(self) -> Metadata:
        """What came with the outcome."""
        return self._wire.response_trailers

    def __aiter__(self) -> Call:
        return self

    async def __anext__(self) -> Any:  # Any: as above
        """The next response.

        Raises:
            ConnectError: the call has failed.
        """
        try:
            async with asyncio.timeout(None if self._until is None else self._until - time.monotonic()):
                return await anext(self._answers)
        except TimeoutError:
            await self.aclose()
            raise ConnectError(Code.DEADLINE_EXCEEDED, "the deadline passed") from None

    async def single(self) -> Any:  # Any: as above
        """The one response.

        Raises:
            ConnectError: the call has failed; UNIMPLEMENTED if it has no response, or another.
        """
        async with self:
            found = [response async for response in self]
        if len(found) != 1:
            what = "no response" if not found else "more than one response"
            raise ConnectError(Code.UNIMPLEMENTED, f"{self._method.full_name} gave {what}")
        return found[0]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give up what is left of the call; the server is told."""
        await self._answers.aclose()

    async def _answer(self) -> AsyncGenerator[Any, None]:  # Any: as above
        wire, output = self._wire, self._method.output
        body = await self._body()
        events = self._transport.events(wire.request, body)
        try:
            async for event in events:
                for data in wire.receive(event):
                    yield self._codec.decode(data, output)
                if wire.error is not None or isinstance(event, End):
                    break
        except ConnectError:
            if self._fault is not None:
                raise self._fault from None
            raise
        finally:
            await events.aclose()
        if wire.error is not None:
            raise self._schema.pack(wire.error)  # with details that people can read

    async def _body(self) -> Body:
        """All of it for a method of one request; else piece by piece."""
        if self._method.client_streaming:
            return self._pieces()
        request = await anext(self._requests)
        return self._wire.send(self._encoded(request))

    async def _pieces(self) -> AsyncIterator[bytes]:
        try:
            async for request in self._requests:
                yield self._wire.send(self._encoded(request))
        except Exception as exc:
            self._fault = exc
            raise

    def _encoded(self, request: object) -> bytes:
        return self._codec.encode(as_message(self._method, request))


def as_message(method: Method, value: object) -> Message:
    """*value*, a message or a mapping of field names, as a request of *method*.

    Raises:
        TypeError: it is neither, or its fields do not fit.
    """
    cls, name = method.input, method.input.DESCRIPTOR.full_name
    if isinstance(value, cls):
        return value
    if isinstance(value, Message) and value.DESCRIPTOR.full_name == name:
        return adopt(cls, value)
    if not isinstance(value, Mapping):
        raise TypeError(f"a request of {method.full_name} is a {name} or a dict of its fields, not {value!r}")
    try:
        return build(cls, value)
    except (TypeError, ValueError, AttributeError) as exc:
        raise TypeError(f"a request of {method.full_name} does not fit: {exc}") from None
