"""Resources: what plugins set up before they serve, and whether it fits together.

A resource has the name of its function, and is asked for by parameters of that name: of constructors
and of other resources. Nothing here is called; who needs whom is read from signatures.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dynconnect.plugins.code import code_hash
from dynconnect.plugins.discovery import Found, Plugins
from dynconnect.plugins.parameters import names_of, unprovided
from dynconnect.plugins.places import place_of
from dynconnect.schema.finding import Finding

HOT = "hot"
SETTINGS = "settings"
HEALTH = "health"
GIVEN = frozenset({HOT, SETTINGS, HEALTH})
"""What everyone may ask for, and no resource may be called."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A function that sets something up.

    Attributes:
        name: its own, by which it is asked for.
        process: whether it lives as long as the server; else as long as its generation.
        file: the absolute path of the plugin that marks it.
        where: ``path:line`` of its definition.
        wants: the names of its parameters.
    """

    name: str
    process: bool
    function: Callable[..., Any]  # Any: what a resource is, its author says
    file: str
    where: str
    wants: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What it is found by again in another generation."""
        return self.file, self.name

    @property
    def code(self) -> bytes:
        """A hash of what it does."""
        return code_hash(self.function)


def resources_of(plugins: Plugins) -> tuple[tuple[Resource, ...], tuple[Finding, ...]]:
    """The resources in *plugins*, each behind those that it needs, and all that is wrong with them."""
    known: dict[str, Resource] = {}
    findings: list[Finding] = []
    for resource in (_resource(found) for found in plugins.found if found.mark.kind == "resource"):
        other = known.setdefault(resource.name, resource)
        if other is not resource:
            what = f"there are two resources {resource.name}: this one and the one at {other.where}"
            findings.append(Finding(resource.where, what, "rename one of them"))
        if resource.name in GIVEN:
            what = f"a resource can't be called {resource.name}: parameters of that name get something else"
            findings.append(Finding(resource.where, what, "rename it"))
    for resource in known.values():
        findings += _unfit(resource, known, complete=not plugins.findings)
    ordered = _in_order(known, findings)
    # Those of the process are set up first, and so torn down last; none needs one that is not.
    return tuple(sorted(ordered, key=lambda resource: not resource.process)), tuple(findings)


def _resource(found: Found) -> Resource:
    function = found.value
    assert callable(function)  # noqa: S101  @resource marks nothing else
    name = getattr(function, "__name__", "")
    where = place_of(function) or found.where
    return Resource(
        name, found.mark.target == "process", function, found.mark.file, where, names_of(function)
    )


def _unfit(resource: Resource, known: Mapping[str, Resource], *, complete: bool) -> Iterator[Finding]:
    """What is wrong with what *resource* asks for; names may only be missing if *known* is *complete*."""
    if complete:
        yield from unprovided(resource.function, f"{resource.name}()", resource.where, {*known, *GIVEN})
    if not resource.process:
        return
    for name in resource.wants:
        if name in known and not known[name].process:
            what = f"{resource.name} outlives {name}, which it needs: that one ends with its generation"
            yield Finding(resource.where, what, f'write @resource(scope="process") at {known[name].where}')
        elif name == HOT:
            what = f"{resource.name} lives as long as the server, so it has no successor to hand {HOT} to"
            yield Finding(resource.where, what, "leave out the parameter")


def _in_order(known: Mapping[str, Resource], findings: list[Finding]) -> Collection[Resource]:
    """*known* as they are to be set up; what goes in a circle is added to *findings*."""
    needs = {name: set(known).intersection(resource.wants) for name, resource in known.items()}
    while True:
        try:
            return [known[name] for name in graphlib.TopologicalSorter(needs).static_order()]
        except graphlib.CycleError as error:
            # From the one that needs to the one that is needed.
            circle = [known[name] for name in reversed(error.args[1])]
            path = " needs ".join(f"{each.name} ({each.where})" for each in circle[:-1])
            what = f"resources need each other: {path} needs {circle[-1].name}"
            findings.append(Finding(circle[0].where, what, "make one of them without the other"))
            for each in circle[:-1]:
                needs.pop(each.name)
            for wanted in needs.values():
                wanted.intersection_update(needs)
