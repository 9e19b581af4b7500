"""What cancels a call: its deadline, its client's going, and a server that can't wait for it.

Not `asyncio.timeout`: the two often come together, since a client whose deadline passes hangs up, and a
second cancellation would break off the handler's clean-up. It also costs several times as much.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class CancelScope:
    """Cancels the task that made it, at most once in each stage of the task's work.

    A stage is a `with` statement::

        with scope.within(5.0):
            await work()
        if scope.expired: ...

    A stage that runs out of time ends quietly. One that `cancel` ends raises CancelledError, without a
    trace in the task's count of cancellations. The cancellations of others pass through.
    """

    __slots__ = (
        "_active",
        "_before",
        "_cancelled",
        "_loop",
        "_seconds",
        "_task",
        "_timer",
        "cut_for",
        "expired",
    )

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  ASGI applications run in tasks
        self._task = task
        self._loop = task.get_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._seconds: float | None = None
        self._active = False
        self._cancelled = False
        self._before = task.cancelling()
        self.expired = False
        """Whether the latest stage ran out of time, even if its work would not hear of it."""
        self.cut_for = ""
        """Why `cut` was called; empty if it was not."""

    def within(self, seconds: float | None) -> Self:
        """The next stage, which may take *seconds*; None is no limit."""
        self._seconds = seconds
        return self

    @property
    def cancelled_by_others(self) -> bool:
        """Whether the task, between two stages, has a cancellation that is not from here."""
        return self._task.cancelling() > self._before

    def cancel(self) -> None:
        """Cancel the stage, unless that has been done."""
        if self._active and not self._cancelled:
            self._cancelled = True
            self._task.cancel()

    def cut(self, why: str) -> None:
        """Cancel the stage because the server will not wait for it any longer; *why*, the caller is told."""
        self.cut_for = why
        self.cancel()

    def _expire(self) -> None:
        self.expired = not self._cancelled
        self.cancel()

    def __enter__(self) -> Self:
        self._active = True
        self._cancelled = self.expired = False
        self._before = self._task.cancelling()
        if self._seconds is not None:
            self._timer = self._loop.call_later(self._seconds, self._expire)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._active = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._cancelled:
            return False
        self._task.uncancel()
        return self.expired and kind is asyncio.CancelledError and not self.cancelled_by_others
