"""Awaiting with an eye on the pauses."""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any


@types.coroutine
def stepped(
    work: Coroutine[Any, Any, None], pauses: Callable[[], None]
) -> Generator[Any, Any, None]:  # Any: what a coroutine and its event loop hand each other
    """Await *work*, and call *pauses* each time that it comes to wait for something."""
    try:
        waits_for = work.send(None)
        while True:
            pauses()
            try:
                given = yield waits_for
            except GeneratorExit:
                work.close()
                raise
            except BaseException as exc:  # noqa: BLE001  whatever it is, it is for the work
                waits_for = work.throw(exc)
            else:
                waits_for = work.send(given)
    except StopIteration:
        return
