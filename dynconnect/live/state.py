"""What a generation holds beside what it serves: resources, and what it hands to its successor.

A generation never changes; what does is here, and calls do not look at it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from dynconnect.plugins.health import Health
from dynconnect.plugins.held import Held
from dynconnect.plugins.hot import Hot
from dynconnect.plugins.resources import HEALTH, HOT, SETTINGS, Resource
from dynconnect.plugins.space import Space

log = logging.getLogger(__name__)

SettingsOf: TypeAlias = Callable[[str], Mapping[str, Any]]  # Any: the values of TOML
"""The settings for the code of a file."""


def _no_settings(_file: str) -> Mapping[str, Any]:
    return MappingProxyType({})


class State:
    """The resources and the hand-over of one generation.

    Until it takes over, it has to itself what it set up, and its predecessor keeps all it has.

    Args:
        predecessor: the state of the generation that serves, None if there is none.
        settings_of: what is given for ``settings``.
        services: the full names of those whose health may be set.
    """

    def __init__(
        self,
        predecessor: State | None = None,
        settings_of: SettingsOf = _no_settings,
        services: Collection[str] = (),
    ) -> None:
        self._settings_of = settings_of
        self._health = Health(services)
        # What resources of the process have said stays, and they may speak of what is to come.
        self._process_health: Health = Health(()) if predecessor is None else predecessor._process_health
        self._process_health.services |= self._health.services
        self._before: Mapping[str, Hot] = {} if predecessor is None else predecessor._hot
        # By key, in the order of their setup. All generations share this one.
        self._process: dict[tuple[str, str], Held] = {} if predecessor is None else predecessor._process
        self._hot: dict[str, Hot] = {}
        self._held: list[Held] = []
        self._values: dict[str, Any] = {}  # Any: what a resource is, its author says
        self._disposing: asyncio.Task[None] | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to wait for when it ends."""
        return not self._held and not self._hot

    @property
    def failing(self) -> frozenset[str]:
        """The services that do not serve, by what plugins say; the whole server is an empty name."""
        return self._health.failing | self._process_health.failing

    def on_health(self, callback: Callable[[], object]) -> None:
        """Have *callback* called when `failing` may have changed, in any thread."""
        self._health.on_change = self._process_health.on_change = callback

    def provide(self, file: str, names: Collection[str], *, process: bool = False) -> Mapping[str, Any]:
        """What there is for code of *file* that asks for *names*; *process* if it outlives the generation."""
        found = {name: self._values[name] for name in names if name in self._values}
        if HOT in names:
            if file not in self._hot:
                self._hot[file] = Hot(self._before.get(file))
            found[HOT] = self._hot[file]
        if SETTINGS in names:
            found[SETTINGS] = self._settings_of(file)
        if HEALTH in names:
            found[HEALTH] = self._process_health if process else self._health
        return found

    async def set_up(self, resources: Iterable[Resource], space: Space) -> None:
        """Set up *resources* in their order, those of the process unless they are there already.

        Raises:
            PluginError: with what is wrong with the first that fails. `aclose` must follow.
        """
        for resource in resources:
            held = self._process.get(resource.key) if resource.process else None
            if held is None or held.ended:
                held = Held(resource, space)
                self._held.append(held)
                given = self.provide(resource.file, resource.wants, process=resource.process)
                await held.set_up(given)
            elif self._differs(held, resource):
                log.warning(
                    "%s: resource %s lives as long as the process: restart to set it up as it is now",
                    resource.where,
                    resource.name,
                )
            self._values[resource.name] = held.value

    def _differs(self, held: Held, resource: Resource) -> bool:
        """Whether *resource* would be set up in another way than *held* was."""
        settings = held.arguments.get(SETTINGS)
        return held.resource.code != resource.code or (
            settings is not None and settings != self._settings_of(resource.file)
        )

    def take_over(self) -> None:
        """Become the state of what serves."""
        for hot in self._hot.values():
            hot.take_over()
        self._before = {}
        self._process_health.services = self._health.services
        for held in [held for held in self._held if held.resource.process]:
            self._held.remove(held)
            self._process[held.resource.key] = held

    def retire(self) -> None:
        """Have the callbacks of `Hot.dispose` called, in a task: no call begins here any more."""
        if self._hot and self._disposing is None:
            self._disposing = asyncio.create_task(self._dispose())

    async def aclose(self) -> None:
        """Tear down what is not the process's, the last first. What fails is logged.

        A cancellation is heeded when that is done.
        """
        closing = asyncio.ensure_future(self._close())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing])
            raise

    async def _close(self) -> None:
        self._before = {}
        self.retire()
        if self._disposing is not None:
            await asyncio.wait([self._disposing])
        while self._held:
            await self._held.pop().tear_down()

    async def close_process(self) -> None:
        """Tear down what all generations share, the last first."""
        while self._process:
            _, held = self._process.popitem()
            await held.tear_down()

    async def _dispose(self) -> None:
        for hot in self._hot.values():
            await hot.run_callbacks()
