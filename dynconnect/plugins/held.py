"""A resource that is set up, from there to its teardown.

It lives in a task of its own, where its code begins and ends: so it may hold a task group or a time
limit open across its ``yield``. Plain functions and generators run in threads, as plain handlers do.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import Any

from dynconnect.plugins.faults import fault
from dynconnect.plugins.locate import PluginError
from dynconnect.plugins.places import innermost, own_frame, shown
from dynconnect.plugins.resources import Resource
from dynconnect.plugins.space import Space
from dynconnect.schema.finding import Finding

log = logging.getLogger(__name__)

SETUP_MAX = 30.0
"""Seconds that setting up one resource may take."""
TEARDOWN_MAX = 5.0
"""Seconds that tearing down one resource may take."""


class Held:
    """One resource.

    Args:
        space: the modules of its plugin, so that a failure is found in the author's own lines.

    Attributes:
        value: what its function has made, once that is set up.
        arguments: what it was set up with.
    """

    def __init__(self, resource: Resource, space: Space) -> None:
        self.resource = resource
        self.value: Any = None  # Any: what a resource is, its author says
        self.arguments: Mapping[str, Any] = {}
        self._space = space
        self._error: BaseException | None = None
        self._ready = asyncio.Event()
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether it has ended, even by itself."""
        return self._task is not None and self._task.done()

    async def set_up(self, arguments: Mapping[str, Any]) -> None:
        """Set it up with *arguments*.

        Raises:
            PluginError: it failed, or took too long; nothing of it is left then.
        """
        self.arguments = arguments
        self._task = asyncio.create_task(self._live(arguments), name=f"resource {self.resource.name}")
        try:
            async with asyncio.timeout(SETUP_MAX) as limit:
                await self._ready.wait()
        except BaseException as error:
            self._over.set()
            self._task.cancel()
            await asyncio.wait([self._task], timeout=TEARDOWN_MAX)
            if isinstance(error, TimeoutError) and limit.expired():
                raise PluginError([self._too_slow()]) from None
            raise
        if self._error is not None:
            raise PluginError([fault(self._error, self._space, self.resource.where)]) from self._error

    async def tear_down(self) -> None:
        """Tear it down, or give up waiting for that. Nothing is raised: what fails is logged."""
        if self._task is None or self._task.done():
            return
        self._over.set()
        done, _ = await asyncio.wait([self._task], timeout=TEARDOWN_MAX)
        if not done:
            log.warning("resource %s: its teardown takes longer than %g s", self.resource.name, TEARDOWN_MAX)
            self._task.cancel()

    async def _live(self, arguments: Mapping[str, Any]) -> None:
        try:
            async with _entered(self.resource, arguments) as self.value:
                self._ready.set()
                await self._over.wait()
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001  whatever a plugin raises is told
            self._error = error
            if self._ready.is_set():
                self._log(error)
        finally:
            self._ready.set()

    def _log(self, error: BaseException) -> None:
        if not self._over.is_set():
            log.error("resource %s ended while it was in use", self.resource.name, exc_info=error)
        elif not isinstance(error, asyncio.CancelledError):
            log.error("resource %s: its teardown failed", self.resource.name, exc_info=error)

    def _too_slow(self) -> Finding:
        """The finding that stands where it waited, as far as that is known."""
        traceback = None if self._error is None else self._error.__traceback__
        frame = own_frame(traceback, {str(file) for file in self._space.sources})
        where = f"{shown(frame[0])}:{frame[1]}" if frame else self.resource.where
        what = f"resource {self.resource.name} is not set up within {SETUP_MAX:g} s"
        return Finding(where, what, "give what it waits for a shorter time limit of its own")


@asynccontextmanager
async def _entered(resource: Resource, arguments: Mapping[str, Any]) -> AsyncIterator[Any]:  # Any: as above
    manager = _manager(resource, arguments)
    if isinstance(manager, AbstractAsyncContextManager):
        async with manager as value:
            yield value
    elif manager is not None:
        async with _in_threads(manager) as value:
            yield value
    elif inspect.iscoroutinefunction(resource.function):
        yield await resource.function(**arguments)
    else:
        value = await asyncio.to_thread(resource.function, **arguments)
        # A decorator without functools.wraps hides that its function is async.
        yield await value if inspect.iscoroutine(value) else value


def _manager(
    resource: Resource, arguments: Mapping[str, Any]
) -> AbstractAsyncContextManager[Any] | AbstractContextManager[Any] | None:
    """The context manager that the function of *resource* is, or makes; None if it returns a value."""
    function = resource.function
    if inspect.isasyncgenfunction(function):
        return asynccontextmanager(function)(**arguments)
    if inspect.isgeneratorfunction(function):
        return contextmanager(function)(**arguments)
    inner = innermost(function)
    # A value may be a context manager too, such as a connection: only a decorated generator is one for us.
    if inspect.isasyncgenfunction(inner) or inspect.isgeneratorfunction(inner):
        made: AbstractAsyncContextManager[Any] | AbstractContextManager[Any] = function(**arguments)
        return made
    return None


@asynccontextmanager
async def _in_threads(manager: AbstractContextManager[Any]) -> AsyncIterator[Any]:
    entering = asyncio.ensure_future(asyncio.to_thread(manager.__enter__))
    try:
        value = await asyncio.shield(entering)
    except asyncio.CancelledError:
        # The thread can't be stopped; what it sets up must not stay.
        entering.add_done_callback(functools.partial(_leave, manager))
        raise
    try:
        yield value
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


def _leave(manager: AbstractContextManager[Any], entering: asyncio.Future[Any]) -> None:
    if entering.cancelled() or entering.exception() is not None:
        return
    leaving = asyncio.get_running_loop().run_in_executor(None, manager.__exit__, None, None, None)
    leaving.add_done_callback(_report)


def _report(leaving: asyncio.Future[Any]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        if (error := leaving.exception()) is not None:
            log.error("the teardown of a resource that came too late failed", exc_info=error)
