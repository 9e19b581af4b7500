"""From plugin files to the marked objects in them.

What ``--plugins`` names comes first (see `locate`), then the entry points ``dynconnect.plugins`` of
installed packages. Nothing here raises for the fault of a plugin: what is found travels with its
findings, so that binding can add its own and a person sees them all at once.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from dynconnect.plugins.faults import fault, syntax_fault
from dynconnect.plugins.handles import running
from dynconnect.plugins.locate import Located, PluginError, locate, locate_module
from dynconnect.plugins.markers import Mark, mark_of
from dynconnect.plugins.places import place_of, shown
from dynconnect.plugins.space import Space
from dynconnect.schema.finding import Finding, nearest
from dynconnect.schema.schema import Schema

GROUP = "dynconnect.plugins"
"""The group of entry points by which an installed package offers a plugin: ``name = module[:object]``."""

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

EntryPoints: TypeAlias = "Iterable[EntryPoint]"


@dataclass(frozen=True, slots=True)
class Found:
    """A marked object.

    Attributes:
        value: a class or a function.
        mark: what its marker says.
        where: ``path:line`` of the marker.
        installed: it came by an entry point, unasked, so it may be for another schema.
    """

    value: object
    mark: Mark
    where: str
    installed: bool = False


@dataclass(frozen=True, slots=True)
class Plugins:
    """What the plugin modules of one generation hold.

    Attributes:
        found: marked objects, in the order of paths, file names and definition.
        findings: all that kept a module from being loaded.
        hash: of all sources that were executed, helper modules included.
        files: the same sources; an edit of any of them asks for a new generation.
        space: the modules themselves.
    """

    found: tuple[Found, ...]
    findings: tuple[Finding, ...]
    hash: str
    files: tuple[Path, ...]
    space: Space

    def close(self) -> None:
        """Let go of the modules. They can import nothing of their own any more; what runs goes on."""
        self.space.close()


def discover(
    paths: Sequence[str],
    generation: int = 1,
    schema: Schema | None = None,
    entry_points: EntryPoints | None = None,
) -> Plugins:
    """Execute the plugins at *paths* and of *entry_points* in a private package of their own.

    Names of ``dynconnect_types`` are those of *schema*. The entry points are those of the
    environment if none are given.
    """
    discovery = _Discovery(Space(generation), schema)
    try:
        with running(schema):
            discovery.load(paths, _installed() if entry_points is None else entry_points)
        return discovery.plugins()
    except BaseException:
        discovery.space.close()
        raise


def check_syntax(paths: Sequence[str]) -> tuple[Finding, ...]:
    """What can be said of *paths* without a schema, and without executing anything."""
    findings: list[Finding] = []
    for path in paths:
        try:
            modules = locate(path).modules
        except PluginError as error:
            findings += error.findings
            continue
        for _, file in modules:
            try:
                compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                findings.append(syntax_fault(error, shown(file)))
            except OSError as error:
                findings.append(Finding(shown(file), f"cannot be read: {error.strerror}"))
    return tuple(dict.fromkeys(findings))


class _Discovery:
    def __init__(self, space: Space, schema: Schema | None) -> None:
        self.space = space
        self._schema = schema
        self._findings: list[Finding] = []
        # The first private name of each file, as two paths may lead to one.
        self._names: dict[Path, str] = {}
        # By identity, as a handler that several modules import is still one handler.
        self._found: dict[int, Found] = {}

    def plugins(self) -> Plugins:
        sources = sorted(self.space.sources.items(), key=lambda item: item[1])
        content = b"".join(name.encode() + digest for _, (name, digest) in sources)
        return Plugins(
            tuple(self._found.values()),
            # Without repetition: a module that two others import fails twice.
            tuple(dict.fromkeys(self._findings)),
            hashlib.sha256(content).hexdigest(),
            tuple(file for file, _ in sources),
            self.space,
        )

    def load(self, paths: Sequence[str], entry_points: EntryPoints) -> None:
        for path in paths:
            try:
                self._load(locate(path))
            except PluginError as error:
                self._findings += error.findings
        for point in entry_points:
            try:
                located = locate_module(point.module, f"entry point {point.name} = {point.value}")
                self._load(located, point.attr or None, installed=True)
            except PluginError as error:
                self._findings += error.findings

    def _load(self, located: Located, attribute: str | None = None, *, installed: bool = False) -> None:
        """Import the modules of *located*, and keep what is marked in them."""
        modules = [self._import(name) for name in self._private_names(located)]
        loaded = [module for module in modules if module is not None]
        marked = 0
        for module in loaded:
            self._findings += _strays(module)
            for name, value in list(vars(module).items()):
                mark = mark_of(value)
                if mark is not None and attribute in (None, name):
                    found = Found(value, mark, f"{shown(mark.file)}:{mark.line}", installed)
                    self._found.setdefault(id(value), found)
                    marked += 1
        if not marked and len(loaded) == len(modules):
            what = "there is nothing marked @service, @rpc, @interceptor or @resource in it"
            self._findings.append(Finding(located.where, what, self._suggestion(loaded)))

    def _private_names(self, located: Located) -> Iterator[str]:
        if located.only is None:
            root = self.space.add_folder(located.folder)
        else:
            root = self.space.add_package(located.only, located.folder)
        return (self._names.setdefault(file, f"{root}.{name}") for name, file in located.modules)

    def _import(self, name: str) -> ModuleType | None:
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a plugin raises becomes a finding
            file = next(shown(file) for file, known in self._names.items() if known == name)
            self._findings.append(fault(error, self.space, file))
            return None

    def _suggestion(self, modules: Iterable[ModuleType]) -> str:
        """How to mark the class that looks like a service, if there is one."""
        services = {name.rpartition(".")[2]: name for name in (self._schema.services if self._schema else ())}
        for cls in (cls for module in modules for cls in _classes(module)):
            close = nearest(cls.__name__, services)
            if close:
                return f'did you mean @service("{services[close]}") on class {cls.__name__}?'
        return 'put @service("package.Service") on a class'


def _strays(module: ModuleType) -> Iterator[Finding]:
    """A finding for each method that is marked like a function, as it would never be found."""
    for cls in _classes(module):
        for name, member in vars(cls).items():
            mark = mark_of(member)
            if mark is not None and mark.kind != "service":
                what = f"@{mark.kind} marks functions, and {cls.__name__}.{name} is a method"
                hint = '@service("package.Service") on the class binds its methods by their names'
                yield Finding(place_of(member) or f"{shown(mark.file)}:{mark.line}", what, hint)


def _classes(module: ModuleType) -> Iterator[type]:
    """The classes that *module* defines itself."""
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield value


@functools.cache
def _installed() -> tuple[EntryPoint, ...]:
    """The entry points of this environment, looked up once: packages come with a new process."""
    # By hand first: importlib.metadata takes tens of milliseconds to import, and most have no plugin.
    files = (file for folder in sys.path for file in Path(folder).glob("*-info/entry_points.txt"))
    if not any(GROUP in file.read_text("utf-8", "replace") for file in files):
        return ()
    from importlib.metadata import entry_points

    return tuple(entry_points(group=GROUP))
