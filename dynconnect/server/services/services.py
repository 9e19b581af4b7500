"""The server's own services, as routes beside those of the generation that is live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from weakref import WeakKeyDictionary

from dynconnect.live.generation import Generation, Route
from dynconnect.live.generations import Generations
from dynconnect.rpc.handler import Handler
from dynconnect.schema.schema import system
from dynconnect.schema.symbols import Symbols
from dynconnect.server.services import health, reflection
from dynconnect.server.services.ending import Ending
from dynconnect.server.services.statuses import Statuses

PREFIX = "/grpc."
"""What the path of each of their methods begins with."""

_BY = "dynconnect"


class Services:
    """Health, and reflection of the services whose full names match one of *reflect*.

    Those of a user come first: a service of the same name, once it has a handler, takes the place of ours.

    Args:
        reflect: patterns, as in a shell; without any there is no reflection.
        idle_serves: whether a service serves that has no handler for any of its methods.
    """

    def __init__(self, reflect: Sequence[str], *, idle_serves: bool) -> None:
        self._reflect = reflect
        self.ending = Ending()
        self._own = sorted((health.SERVICE, *(reflection.SERVICES if reflect else ())))
        self.statuses = Statuses(self._own, idle_serves=idle_serves, ending=self.ending)
        self._health: Mapping[str, Route] = {}
        self._reflection: WeakKeyDictionary[Generation, Mapping[str, Route]] = WeakKeyDictionary()

    def follow(self, generations: Generations) -> None:
        """Answer for what is the current one of *generations*."""
        self.statuses.follow(generations)

    def swapped(self, generation: Generation) -> None:
        """*generation* has taken over."""
        self.statuses.swapped(generation)

    def stop(self) -> None:
        """Let nothing serve any more, tell those who watch, and end what nobody would end."""
        self.ending.begin()
        self.statuses.changed()

    def find(self, generation: Generation, path: str) -> Route | None:
        """Where a call to *path* goes that *generation* has no handler for; None if it is not for us."""
        if not path.startswith(PREFIX):
            return None
        if not self._health:
            self._health = _routes(health.SERVICE, health.Health(self.statuses, self.ending).handlers())
        return self._health.get(path) or self._reflected(generation).get(path)

    def _reflected(self, generation: Generation) -> Mapping[str, Route]:
        """The routes of reflection; a stream keeps the generation that it began with."""
        if not self._reflect:
            return {}
        if generation not in self._reflection:
            shown = [name for name in generation.schema.services if matches(name, self._reflect)]
            hidden = generation.schema.services.keys() - {*shown, *self._own}
            listed = sorted({*shown, *self._own})
            handler = reflection.Reflection(listed, Symbols(generation.schema, hidden), self.ending).info
            self._reflection[generation] = {
                path: route
                for service in reflection.SERVICES
                for path, route in _routes(service, {reflection.METHOD: handler}, generation).items()
            }
        return self._reflection[generation]


def matches(service: str, patterns: Sequence[str]) -> bool:
    """Whether the full name *service* matches one of *patterns*."""
    return any(fnmatchcase(service, pattern) for pattern in patterns)


def _routes(
    service: str, handlers: Mapping[str, Handler], generation: Generation | None = None
) -> Mapping[str, Route]:
    """Routes to *handlers*, inside the interceptors of *generation* if their calls belong to it."""
    interceptors = () if generation is None else generation.interceptors
    return {
        method.path: Route.to(
            handlers[method.name],
            method,
            interceptors,
            system().codecs,
            bound_by=_BY,
            lasting=generation is None,
        )
        for method in system().services[service]
        if method.name in handlers
    }
