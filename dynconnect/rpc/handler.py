"""Handlers: four shapes outside, one shape inside.

A handler is written in the shape of its method. Inside it becomes a `Stream`, requests in and
responses out, and everything else deals only with streams. But a unary handler that nothing is
wrapped round may be called directly: its two streams of one message are a tenth of what a call costs.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

from dynconnect.rpc.code import Code
from dynconnect.rpc.context import Context, MethodInfo
from dynconnect.rpc.errors import ConnectError

# Any: message classes are made at run time, so no static type names them.
Requests: TypeAlias = AsyncIterator[Any]
Responses: TypeAlias = AsyncGenerator[Any, None]
Handler: TypeAlias = Callable[..., Any]
Stream: TypeAlias = Callable[[Requests, Context], Responses]
Interceptor: TypeAlias = Callable[[Stream], Stream]
"""Wraps a stream in another; the outermost sees the call first and its responses last."""


Direct: TypeAlias = Callable[[Any, Context], Awaitable[Any]]
"""From the one request of a call to its one response."""


def stream_of(method: MethodInfo, handler: Handler) -> Stream:
    """*handler*, an async function or generator in the shape of *method*, as a stream.

    Responses may be messages or mappings of field names; the stream yields messages.
    """
    shape = _many_to_many if method.client_streaming else _one_to_many
    if not method.server_streaming:
        shape = _many_to_one if method.client_streaming else _one_to_one
    return shape(method, handler)


def direct_of(method: MethodInfo, handler: Handler) -> Direct:
    """*handler*, an async function, of a unary *method*, without a stream."""

    async def unary(request: Any, context: Context) -> Any:  # Any: as above
        return _given(method, await handler(request, context))

    return unary


def _one_to_one(method: MethodInfo, handler: Handler) -> Stream:
    async def unary(requests: Requests, context: Context) -> Responses:
        yield _given(method, await handler(await only(requests), context))

    return unary


def _one_to_many(method: MethodInfo, handler: Handler) -> Stream:
    as_output = method.as_output

    async def server_stream(requests: Requests, context: Context) -> Responses:
        async with aclosing(handler(await only(requests), context)) as responses:
            async for response in responses:
                yield as_output(response)

    return server_stream


def _many_to_one(method: MethodInfo, handler: Handler) -> Stream:
    async def client_stream(requests: Requests, context: Context) -> Responses:
        yield _given(method, await handler(requests, context))

    return client_stream


def _many_to_many(method: MethodInfo, handler: Handler) -> Stream:
    as_output = method.as_output

    async def bidi_stream(requests: Requests, context: Context) -> Responses:
        async with aclosing(handler(requests, context)) as responses:
            async for response in responses:
                yield as_output(response)

    return bidi_stream


def _given(method: MethodInfo, value: object) -> Any:  # Any: a message class made at run time
    """*value* as a response.

    Raises:
        ConnectError: INTERNAL if there is none: forgetting `return` must not look like an answer.
    """
    if value is None:
        raise ConnectError(Code.INTERNAL, f"{method.full_name} gave no response message")
    return method.as_output(value)


async def only(requests: Requests) -> Any:  # Any: a message class made at run time
    """The one message of *requests*.

    Raises:
        ConnectError: UNIMPLEMENTED if there is none or a second one; it does not wait for the end
            once there are two (gRPC, "Status codes and their use", cardinality violations).
    """
    found = []
    async for request in requests:
        found.append(request)
        if len(found) > 1:
            raise not_one("more")
    if not found:
        raise not_one("none")
    return found[0]


def not_one(what: str) -> ConnectError:
    """The error of a request with *what* messages, where there should be one."""
    return ConnectError(Code.UNIMPLEMENTED, f"expected one request message, got {what}")


async def unimplemented(requests: Requests, context: Context) -> Responses:  # noqa: ARG001  a Stream
    """The stream of a method that has no handler."""
    raise ConnectError(Code.UNIMPLEMENTED, f"{context.method.full_name} has no handler")
    yield  # a generator, like every other stream
