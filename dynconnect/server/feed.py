"""What happens in a server, for those who watch while it does: reloads, generations, and how calls end.

Nothing is kept but the last calls, and no watcher holds anything up: one that is too slow misses something,
and hears how much.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from enum import Enum
from typing import TypeAlias

from dynconnect.live.news import Held, News, NotLoaded, Refused, Stale, Undone
from dynconnect.rpc.code import Code
from dynconnect.rpc.context import Context

Event: TypeAlias = tuple[str, Mapping[str, object]]
"""Its kind, and what there is to say, as JSON has it."""

CALLS_MAX = 100
"""How many calls are told to those who begin to watch."""
BEHIND_MAX = 500
"""How many events one watcher may be behind."""
WATCHERS_MAX = 32


class Feed:
    """Tells its watchers what happens. It belongs to the event loop of its server.

    Attributes:
        news: how the last reload went.
        refused: what is wrong with the files as they are, while an older generation serves.
    """

    def __init__(self) -> None:
        self.news: News | None = None
        self.refused: Refused | None = None
        self._calls: deque[Mapping[str, object]] = deque(maxlen=CALLS_MAX)
        self._watchers: set[Watcher] = set()
        self._closed = False

    def tell(self, news: News) -> None:
        """Pass on what is said of a reload."""
        if not isinstance(news, Stale | NotLoaded | Held):  # these come while a reload is as it was
            self.news = news
            if isinstance(news, Refused):
                self.refused = news
            elif not (isinstance(news, Undone) and news.before is None):
                self.refused = None
        self._publish("news", said(news))

    def swapped(self, number: int) -> None:
        """The generation *number* serves."""
        self._publish("generation", {"number": number})

    def called(self, context: Context, code: Code | None, seconds: float) -> None:
        """A call has ended, with *code* if it failed, after so many *seconds*."""
        call = {
            "at": round(time.time(), 3),
            "method": f"{context.method.service_name}/{context.method.name}",
            "protocol": context.protocol,
            "code": "ok" if code is None else code.value,
            "milliseconds": round(seconds * 1000, 2),
            "generation": context.generation,
        }
        self._calls.append(call)
        self._publish("call", call)

    def watch(self) -> Watcher | None:
        """Watch from now on, beginning with the last calls; None if there are watchers enough."""
        if len(self._watchers) >= WATCHERS_MAX or self._closed:
            return None
        watcher = Watcher(self._watchers.discard)
        watcher.put(("calls", {"calls": list(self._calls)}))
        self._watchers.add(watcher)
        return watcher

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def close(self) -> None:
        """Let all watchers go: the server stops."""
        self._closed = True
        for watcher in (*self._watchers,):
            watcher.close()

    def _publish(self, kind: str, what: Mapping[str, object]) -> None:
        for watcher in self._watchers:
            watcher.put((kind, what))


class Watcher:
    """Waits for what happens; to be closed.

    Args:
        leave: hears of its end.
    """

    def __init__(self, leave: Callable[[Watcher], None]) -> None:
        self._leave = leave
        self._events: deque[Event] = deque()
        self._missed = 0
        self._woken = asyncio.Event()
        self._closed = False

    async def events(self) -> Sequence[Event]:
        """What has happened since it was last asked, once something has; nothing once it is closed."""
        if not self._closed:
            await self._woken.wait()
            self._woken.clear()
        events, missed = [*self._events], self._missed
        self._events.clear()
        self._missed = 0
        if self._closed:
            return ()
        return [*events, ("missed", {"count": missed})] if missed else events

    def put(self, event: Event) -> None:
        """Let it hear of *event*, unless it is too far behind."""
        if len(self._events) < BEHIND_MAX:
            self._events.append(event)
        else:
            self._missed += 1
        self._woken.set()

    def close(self) -> None:
        """Watch no longer; who waits is let go."""
        self._closed = True
        self._leave(self)
        self._woken.set()


def said(news: News) -> Mapping[str, object]:
    """*news* as JSON has it."""
    return {"kind": type(news).__name__.lower(), **asdict(news, dict_factory=_plain)}


def _plain(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {name: value.value if isinstance(value, Enum) else value for name, value in pairs}
