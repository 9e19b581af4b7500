"""Awaiting step by step: what never has to wait needs nobody who watches over it."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple

# Any, throughout: what a coroutine and its event loop hand each other.


class Waiting(NamedTuple):
    """Work that has begun and waits for *future*; `resumed` goes on with it, `abandoned` ends it."""

    work: Generator[Any, Any, Any]
    future: Any


def first_step(work: Awaitable[Any]) -> tuple[Any, Waiting | None]:
    """What *work* comes to if it needs not wait, or else where it waits; raises what it raises."""
    steps = work.__await__()
    try:
        return None, Waiting(steps, next(steps))
    except StopIteration as end:
        return end.value, None


@types.coroutine
def resumed(waiting: Waiting, pauses: Callable[[], None] | None = None) -> Generator[Any, Any, Any]:
    """Await the rest of what is *waiting*, and call *pauses* each time that it waits."""
    work, future = waiting
    try:
        while True:
            if pauses is not None:
                pauses()
            try:
                given = yield future
            except GeneratorExit:
                work.close()
                raise
            except BaseException as exc:  # noqa: BLE001  whatever it is, it is for the work
                future = work.throw(exc)
            else:
                future = work.send(given)
    except StopIteration as end:
        return end.value


async def stepped(work: Awaitable[Any], pauses: Callable[[], None]) -> Any:
    """Await *work*, and call *pauses* each time that it waits for something."""
    value, waiting = first_step(work)
    return value if waiting is None else await resumed(waiting, pauses)
