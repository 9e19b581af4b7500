"""Handlers that block: a plain ``def`` of any shape, run in threads.

A function runs in one thread from begin to end. A generator is stepped: it holds a thread only
while its own code runs. Requests of a stream come as a plain iterator that blocks its thread; they
are read in the call's own task, so that cancelling the task is all it takes to end both sides.
Context variables are those of the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context as Variables
from contextvars import copy_context
from typing import Any, Self, TypeVar

from dynconnect.rpc.code import Code
from dynconnect.rpc.context import Context, MethodInfo
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.handler import Handler

T = TypeVar("T")
log = logging.getLogger(__name__)

THREADS = 40
"""How many plain handlers run at once; more of them wait. It is what Starlette allows."""

_END: Any = object()  # Any: it stands where a message would


def threaded(method: MethodInfo, handler: Handler) -> Handler:
    """*handler*, a plain function or generator function, as an async one in the shape of *method*."""
    shape = _stepped if method.server_streaming else _at_once
    return functools.partial(shape, method, handler)


# Any: message classes are made at run time, so no static type names requests and responses.
async def _at_once(method: MethodInfo, handler: Handler, request: Any, context: Context) -> Any:
    async with _Thread(request if method.client_streaming else None) as thread:
        request = thread.requests if method.client_streaming else request
        response = await thread.run(handler, request, context)
        # A decorator without functools.wraps hides that its function is async.
        return await response if inspect.iscoroutine(response) else response


async def _stepped(  # Any: as above
    method: MethodInfo, handler: Handler, request: Any, context: Context
) -> AsyncGenerator[Any, None]:
    async with _Thread(request if method.client_streaming else None) as thread:
        request = thread.requests if method.client_streaming else request
        response = await thread.run(thread.begin, handler, request, context)
        while response is not _END:
            yield response
            response = await thread.run(next, thread.responses, _END)


class _Thread:
    """What one call does in threads, one step at a time.

    Attributes:
        requests: the stream of requests, for code in the thread.
        responses: the generator that answers, to be closed with the call.
    """

    def __init__(self, requests: AsyncIterator[Any] | None) -> None:  # Any: messages, as above
        self._source = requests
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._variables = copy_context()
        self._step: Future[Any] | None = None
        self._reading: asyncio.Timeout | None = None
        self.requests = _Requests(self._wake_up)
        self.responses: Iterator[Any] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """End what runs. Python cannot stop a thread: a step under way ends by itself."""
        self.requests.close()
        step = self._step
        if step is not None and not step.cancel() and not step.done():
            # Where it runs, as no other thread can close a generator meanwhile.
            step.add_done_callback(self._end)
        elif inspect.isgenerator(self.responses) and self.responses.gi_frame is not None:
            await self.run(self.responses.close)

    def begin(self, handler: Handler, *args: object) -> Any:
        """Make the responses; the first of them."""
        self.responses = iter(handler(*args))
        return next(self.responses, _END)

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """What *function* returns in a thread; requests that it asks for meanwhile are read here."""
        step: Future[T] = _pool().submit(_enter, self._variables, function, args)
        self._step = step
        step.add_done_callback(self._done)
        # A thread of the handler's own may still wait for a request since the last step.
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if step.done():
                return step.result()
            await self._read()

    async def _read(self) -> None:
        """Answer the thread's demand for a request, if there is one."""
        demand = self.requests.demand
        if demand is None or demand.done() or self._source is None:
            return
        self._reading = reading = asyncio.timeout(None)
        try:
            async with reading:
                request = await anext(self._source, _END)
        except Exception as error:  # noqa: BLE001  the thread raises it where the handler waits
            if not reading.expired():
                demand.set_exception(error)
        else:
            demand.set_result(request)
        finally:
            self._reading = None

    def _end(self, step: Future[Any]) -> None:
        """Finish, in its thread, what *step* has left after its call was over."""
        error = step.exception()
        if inspect.isgenerator(self.responses):
            try:
                self._variables.run(self.responses.close)
            except Exception as closing:  # noqa: BLE001  there is nobody left to raise it to
                error = closing
        if error is not None and not isinstance(error, ConnectError):
            log.error("a handler failed after its call was over", exc_info=error)

    def _wake_up(self) -> None:
        self._loop.call_soon_threadsafe(self._wake.set)

    def _done(self, step: Future[Any]) -> None:
        # The loop may be closed when a step ends late, and nobody waits then.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._finish, step)

    def _finish(self, step: Future[Any]) -> None:
        self._wake.set()
        if self._reading is not None and step is self._step:
            # A thread of the handler's own asked for this request, and the handler did not wait for it.
            self._reading.reschedule(self._loop.time())


class _Requests(Iterator[Any]):  # Any: messages, as above
    """The requests of a stream, for code that blocks.

    Attributes:
        demand: where the thread waits for its next request.
    """

    def __init__(self, wake_up: Callable[[], None]) -> None:
        self.demand: Future[Any] | None = None
        self._wake_up = wake_up
        self._closed = False
        # A handler may share its requests among threads of its own.
        self._turn = threading.Lock()

    def __next__(self) -> Any:
        with self._turn:
            # Set before the look at _closed, so that either side sees the other.
            demand: Future[Any] = Future()
            self.demand = demand
            if self._closed:
                raise _over()
            self._wake_up()
            request = demand.result()
        if request is _END:
            raise StopIteration
        return request

    def close(self) -> None:
        """Make whoever waits, and whoever asks from now on, raise."""
        self._closed = True
        if self.demand is not None and not self.demand.done():
            self.demand.set_exception(_over())


def _over() -> ConnectError:
    return ConnectError(Code.CANCELED, "the call is over")


def _enter(variables: Variables, function: Callable[..., T], args: tuple[object, ...]) -> T:
    try:
        return variables.run(function, *args)
    except SystemExit as error:
        # In a plain thread it ends the thread; carried into the loop it would end the server.
        raise RuntimeError("a handler called sys.exit()") from error


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "dynconnect-handler")
