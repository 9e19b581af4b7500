"""Reloading: from an edit to another generation, or to every reason against it.

One turn looks at what there is now, builds it aside and swaps. Nothing before the swap touches what
serves. Turns never overlap, and edits that come during one make the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self, TypeAlias

from dynconnect.live.comparison import compare
from dynconnect.live.generation import Generation
from dynconnect.live.generations import Generations
from dynconnect.live.inputs import Watched
from dynconnect.live.news import Held, Mended, News, NotLoaded, Refused, Stale, Swapped, Unchanged, Undone
from dynconnect.live.watch import touched
from dynconnect.plugins.places import shown
from dynconnect.schema.finding import Finding, FindingsError
from dynconnect.schema.sources import is_ignored

log = logging.getLogger(__name__)

PATIENCE = 0.25
"""Seconds that a set of files may be broken before that is said: it may be half written."""
TORN_MAX = 4
"""How often files that change while they are read are read again before they are taken as they are."""
REMIND = 1.0
"""Seconds between two reminders that what serves is not what was saved."""
ECHO = 1.0
"""Seconds after a turn in which the touch of a file is taken for a part of the edit before it."""

Build: TypeAlias = Callable[[int, Generation], Awaitable[Generation]]
"""Builds the generation of a number, which takes over from another; raises FindingsError."""


class Reloader:
    """Keeps *generations* at what *watched* holds.

    Args:
        generations: what serves.
        watched: where its files are.
        build: makes the next generation.
        refuse_breaking: refuse what breaks callers, on the wire or in JSON; else it is only told.
        undoes: keep what the last reload replaced, for `undo`.
        tell: hears all that happens, in this loop; it must not raise.
        seen: the contents of *watched* before the current generation was built.
    """

    def __init__(
        self,
        generations: Generations,
        watched: Watched,
        *,
        build: Build,
        refuse_breaking: bool = False,
        undoes: bool = False,
        tell: Callable[[News], None],
        seen: Mapping[Path, bytes],
    ) -> None:
        self._generations = generations
        self._watched = watched
        self._build = build
        self._refuse_breaking = refuse_breaking
        self._tell = tell
        self._seen = seen
        self._loop = asyncio.get_running_loop()
        self.watching = asyncio.Event()
        """Set once every edit is seen."""
        self._stirred = asyncio.Event()
        self._touched: set[Path] = set()
        self._requested = self._forced = self._undoing = False
        self._undoes = undoes
        self._before: Generation | None = None  # what `undo` goes back to; its modules are kept
        self._refused: Refused | None = None
        self._began: float | None = None
        self._turned = self._reminded = float("-inf")
        self._mentioned: set[Path] = set()
        self._adopt(generations.current)
        self._served = self._seen

    @asynccontextmanager
    async def running(self, *, watch: bool) -> AsyncIterator[Self]:
        """Within it, reload on request, and with *watch* on edits too."""
        tasks = [asyncio.create_task(self._run())]
        if watch:
            tasks.append(asyncio.create_task(self._watch()))
        for task in tasks:
            task.add_done_callback(_report)
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def request(self) -> None:
        """Reload soon, even if nothing has changed."""
        self._requested = True
        self._stir()

    def undo(self) -> None:
        """Go back soon to what served before the last reload, whatever the files hold."""
        self._undoing = True
        self._stir()

    async def _watch(self) -> None:
        async for paths in touched(self._watched.folders):
            self.watching.set()
            self._touched |= paths
            self._stir()

    async def _run(self) -> None:
        while True:
            await self._stirred.wait()
            await self._turn()
            if self._undoing:
                self._stirred.set()  # it was asked for during the turn, which takes only edits for news

    def _stir(self) -> None:
        if self._began is None:
            self._began = self._loop.time()
        self._stirred.set()

    async def _turn(self) -> None:
        """Bring what serves to what there is; without a word if something stirs meanwhile."""
        self._stirred.clear()
        if self._undoing:
            self._undoing = False
            await self._undo()
        self._forced |= self._requested
        self._requested = False
        contents = await asyncio.to_thread(self._watched.contents)
        if contents == self._seen and not self._forced:
            self._unchanged()
            return
        self._seen = contents
        try:
            candidate = await self._candidate()
        except FindingsError as error:
            if not await self._changes(asyncio.ensure_future(asyncio.sleep(PATIENCE))):
                self._refuse(error.findings)
            return
        try:
            await self._take(candidate)
        finally:
            if self._generations.current is not candidate:
                await candidate.aclose()

    async def _candidate(self) -> Generation:
        """The generation of the files as they are, all of one moment if they ever stand still."""
        current = self._generations.current
        for _ in range(TORN_MAX):
            candidate = await self._build(current.number + 1, current)
            if await self._stands(candidate):
                return candidate
        return await self._build(current.number + 1, current)

    async def _stands(self, candidate: Generation) -> bool:
        """Whether the files are still those that *candidate* was made of; else it is closed."""
        contents = None
        try:
            contents = await asyncio.to_thread(self._watched.contents)
        finally:
            if contents != self._seen:
                await candidate.aclose()
        stands, self._seen = contents == self._seen, contents
        return stands

    async def _take(self, candidate: Generation) -> None:
        """Swap to *candidate* once there is room, unless something stirs before."""
        current = self._generations.current
        # Not by the hashes of generations, which do not count a module until something imports it.
        if self._seen == self._served and not self._forced:
            self._settle()
            self._tell(Mended(current.number))
            return
        found = await asyncio.to_thread(compare, current, candidate)
        if self._refuse_breaking and (findings := found.refusal()):
            self._refuse(findings)
            return
        if not await self._room():
            return
        began = self._began or self._loop.time()
        edited = self._edited()
        self._adopt(candidate)
        self._swap(candidate)
        self._settle()
        self._tell(
            Swapped(candidate.number, edited, found.changes, found.breaking, self._loop.time() - began)
        )

    def _swap(self, new: Generation) -> None:
        """Serve *new*, and keep what it replaces, if that may be wanted."""
        if self._undoes:
            if self._before is not None:
                self._before.close()
            self._before = self._generations.current
            if self._before.plugins is not None:
                self._before.plugins.space.keep()
        self._generations.swap(new)

    async def _undo(self) -> None:
        """Make what served before once more: its constructors run, and its resources are set up anew."""
        current, before = self._generations.current, self._before
        if before is None or before.remake is None:
            self._tell(Undone(current.number, None))
            return
        try:
            again = await before.remake(current.number + 1, current)
        except FindingsError as error:
            self._tell(Refused(current.number, error.findings))
            return
        self._swap(again)
        self._ends()
        self._tell(Undone(again.number, before.number))

    def _adopt(self, generation: Generation) -> None:
        """Count all modules of *generation*, as it read them, wherever they are."""
        if generation.plugins is not None:
            read = {file: digest for file, (_, digest) in generation.plugins.space.sources.items()}
            self._watched.known |= read.keys()
            self._seen = {**read, **self._seen}

    async def _room(self) -> bool:
        """Wait until one more generation may live; whether it may, or something else is wanted before."""
        told = False
        while self._generations.full:
            if not told:
                numbers = tuple(old.number for old in self._generations.draining)
                self._tell(Held(self._generations.current.number, numbers))
                told = True
            if await self._changes(self._generations.dropped()):
                return False
        return True

    async def _changes(self, other: asyncio.Future[None]) -> bool:
        """Whether files change, or a reload is requested, before *other* is done."""
        try:
            while await self._stirs(other):
                contents = await asyncio.to_thread(self._watched.contents)
                if contents != self._seen or self._requested:
                    return True
                self._stirred.clear()  # the rest of a save, or a touch
        finally:
            other.cancel()
        return False

    async def _stirs(self, other: asyncio.Future[None]) -> bool:
        """Wait until something stirs, or *other* is done; whether something does."""
        stirs = asyncio.ensure_future(self._stirred.wait())
        try:
            await asyncio.wait((stirs, other), return_when=asyncio.FIRST_COMPLETED)
            return stirs.done()
        finally:
            stirs.cancel()

    def _refuse(self, findings: tuple[Finding, ...]) -> None:
        self._watched.known |= _files_of(findings)
        self._ends()
        self._generations.on_enter = self._remind(findings[0])
        self._refused = Refused(self._generations.current.number, findings)
        self._tell(self._refused)

    def _remind(self, finding: Finding) -> Callable[[Generation], None]:
        def remind(generation: Generation) -> None:
            if self._loop.time() - self._reminded >= REMIND:
                self._reminded = self._loop.time()
                self._tell(Stale(generation.number, finding))

        return remind

    def _settle(self) -> None:
        """What serves is what there is."""
        self._served = self._seen
        self._refused = self._generations.on_enter = None
        self._ends()

    def _ends(self) -> None:
        """The turn has come to something: what stirs from now on is another edit."""
        self._turned = self._loop.time()
        self._forced = False
        self._touched.clear()
        self._began = self._turned if self._stirred.is_set() else None

    def _edited(self) -> tuple[str, ...]:
        """The files that differ from those that are served."""
        paths = self._served.keys() | self._seen.keys()
        return _shown(path for path in paths if self._served.get(path) != self._seen.get(path))

    def _unchanged(self) -> None:
        """Nothing is to be done: say so, if a person might wonder."""
        echo = self._loop.time() - self._turned < ECHO
        saved = self._touched & self._seen.keys()
        others = {path for path in self._touched if self._may_be_read(path)}
        self._mentioned |= others
        self._touched.clear()
        self._began = None
        serving = self._generations.current.number
        if saved and not echo:
            self._tell(self._refused or Unchanged(serving, _shown(saved)))
        if others:
            self._tell(NotLoaded(serving, _shown(others)))

    def _may_be_read(self, path: Path) -> bool:
        """Whether *path* is a file beside plugins, not a module, and not yet mentioned."""
        if path in self._seen or path in self._mentioned or is_ignored(path.name) or not path.is_file():
            return False
        return any(path.parent == file.parent for file in self._seen if file.suffix == ".py")


def _shown(paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(sorted(map(shown, paths)))


def _files_of(findings: Iterable[Finding]) -> frozenset[Path]:
    """The files that *findings* stand in: an edit of them may mend what they say."""
    files = (Path(finding.where.partition(":")[0]) for finding in findings)
    return frozenset(file.absolute() for file in files if file.is_file())


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (fault := task.exception()) is not None:
        log.error("edits are not seen any more: restart to load them", exc_info=fault)
