"""Watching: that something in a set of folders was touched. What it means, contents tell, not events.

Folders are watched and not files, as editors and build tools put a new file in the place of the old one,
and each of them by itself, as a whole tree may hold an environment or a repository.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from watchfiles import awatch

STEP = 10
"""Milliseconds without an event that end a batch: an editor's save is several events."""
DEBOUNCE = 100
"""Milliseconds that a batch lasts at the most, however many events come."""
CONFIRM = 100
"""Milliseconds after which a watcher without events says that it watches."""

_NOISE = frozenset({"__pycache__", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache"})


async def touched(folders: Callable[[], frozenset[Path]]) -> AsyncGenerator[frozenset[Path], None]:
    """What was touched in *folders*, batch by batch; an empty batch says that anything may have been.

    Folders are asked for again after each batch, in a thread, as they come and go with what is in them.
    Each must exist; one that vanishes meanwhile is no fault.
    """
    watched = await asyncio.to_thread(folders)
    while True:
        try:
            async with aclosing(_batches(watched)) as batches:
                async for batch in batches:
                    yield batch
                    now = await asyncio.to_thread(folders)
                    if now != watched:
                        break
        except FileNotFoundError:
            now = await asyncio.to_thread(folders)
        watched = now


async def _batches(folders: frozenset[Path]) -> AsyncGenerator[frozenset[Path], None]:
    """Batches of one watcher; the first is empty, and comes when it surely watches."""
    confirmed = False
    watcher = awatch(
        *sorted(folders),
        watch_filter=None,
        debounce=DEBOUNCE,
        step=STEP,
        rust_timeout=CONFIRM,
        yield_on_timeout=True,
        recursive=False,
    )
    async with aclosing(watcher) as changes:
        async for change in changes:
            batch = frozenset(
                path for _, name in change if not _NOISE.intersection((path := Path(name)).parts)
            )
            # Before the watcher was there, nobody saw what happened.
            if batch or not confirmed:
                yield batch if confirmed else frozenset()
            confirmed = True
