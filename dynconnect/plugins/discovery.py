"""From what ``--plugins`` names to the marked objects that are found there.

A path is one of
- a file;
- a folder: every ``.py`` file below it whose name, and whose folders' names, do not begin with
  ``_`` or ``.``; a folder with ``__init__.py`` is a package and begins with that;
- a dotted module name, looked up in the working directory and then like any import; its top-level
  package is executed anew.

Entry points of the group ``dynconnect.plugins`` come after them. Nothing here raises for the fault
of a plugin: what is found travels with its findings, so that binding can add its own.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from dynconnect.plugins.faults import fault, syntax_fault
from dynconnect.plugins.markers import Mark, mark_of
from dynconnect.plugins.places import place_of, shown
from dynconnect.plugins.space import Space
from dynconnect.plugins.types import running
from dynconnect.schema.finding import Finding, FindingsError, nearest
from dynconnect.schema.schema import Schema

GROUP = "dynconnect.plugins"
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class PluginError(FindingsError):
    """Plugins cannot be loaded or do not fit the schema."""


@dataclass(frozen=True, slots=True)
class Found:
    """A marked object.

    Attributes:
        value: a class or a function.
        mark: what its marker says.
        where: ``path:line`` of the marker.
        installed: it came with an entry point and was not asked for, so it may be for another schema.
    """

    value: object
    mark: Mark
    where: str
    installed: bool = False


@dataclass(frozen=True, slots=True)
class Plugins:
    """What one generation's plugin modules hold.

    Attributes:
        found: marked objects, in the order of paths, file names and definition.
        findings: everything that kept a module from being loaded.
        hash: of all that was executed, helper modules included.
        files: what was executed; an edit of any of them asks for a new generation.
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
    entry_points: Iterable[importlib.metadata.EntryPoint] | None = None,
) -> Plugins:
    """Execute the plugins at *paths* and in *entry_points* in a private package of their own.

    Names of ``dynconnect_types`` are those of *schema*. The entry points are those of this
    environment if none are given.
    """
    discovery = _Discovery(Space(generation), schema)
    with running(schema):
        for path in paths:
            discovery.path(path)
        for entry_point in _installed() if entry_points is None else entry_points:
            discovery.entry_point(entry_point)
    return discovery.plugins()


def check_syntax(paths: Sequence[str]) -> tuple[Finding, ...]:
    """What can be said of *paths* without a schema and without executing anything."""
    findings = []
    for text in paths:
        path = Path(text)
        if not path.exists():
            findings += [] if _DOTTED.fullmatch(text) else [_missing_path(path)]
            continue
        for file in [path] if path.is_file() else _files_in(path):
            try:
                compile(file.read_bytes(), str(file.absolute()), "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                findings.append(syntax_fault(error, str(file)))
    return tuple(dict.fromkeys(findings))


class _Discovery:
    def __init__(self, space: Space, schema: Schema | None) -> None:
        self._space = space
        self._schema = schema
        self._names: dict[Path, str] = {}
        self._findings: list[Finding] = []
        # By identity: a handler that several modules import is still one handler.
        self._found: dict[int, Found] = {}

    def plugins(self) -> Plugins:
        sources = sorted(self._space.sources.items(), key=lambda item: item[1])
        content = hashlib.sha256(b"".join(name.encode() + digest for _, (name, digest) in sources))
        return Plugins(
            tuple(self._found.values()),
            # A module that two others import fails twice and is one finding.
            tuple(dict.fromkeys(self._findings)),
            content.hexdigest(),
            tuple(file for file, _ in sources),
            self._space,
        )

    def path(self, text: str) -> None:
        path = Path(text)
        if path.is_dir():
            files = list(_files_in(path.absolute()))
            if not files:
                self._findings.append(Finding(text, "holds no Python file"))
                return
            root = self._root_of(path.absolute())
            self._load(text, [self._name(file, root) for file in files])
        elif path.is_file():
            if path.suffix != ".py":
                hint = "a plugin is a .py file, a folder of them or the dotted name of a module"
                self._findings.append(Finding(text, "is not a Python file", hint))
                return
            self._load(text, [self._name(path.absolute(), self._root_of(path.absolute()))])
        elif _DOTTED.fullmatch(text) and not text.endswith(".py"):
            name = self._dotted(text)
            if name is not None:
                self._load(text, [name])
        else:
            self._findings.append(_missing_path(path))

    def entry_point(self, entry_point: importlib.metadata.EntryPoint) -> None:
        where = f"entry point {entry_point.name} = {entry_point.value}"
        name = self._dotted(entry_point.module, where)
        if name is not None:
            self._load(where, [name], entry_point.attr or None, installed=True)

    def _root_of(self, path: Path) -> str:
        """The private name of the folder from which plain imports of *path* start."""
        folder = path.parent if path.is_file() or (path / "__init__.py").is_file() else path
        while (folder / "__init__.py").is_file():
            folder = folder.parent
        return self._space.root(folder)

    def _name(self, file: Path, root: str) -> str:
        """The private name of *file*, the same one however often it is named."""
        if file not in self._names:
            folder = next(folder for folder, name in self._space.roots.items() if name == root)
            parts = file.relative_to(folder).with_suffix("").parts
            self._names[file] = ".".join((root, *(parts[:-1] if parts[-1] == "__init__" else parts)))
        return self._names[file]

    def _dotted(self, name: str, where: str = "") -> str | None:
        """The private name of the importable module *name*; None and a finding if it is nowhere."""
        top, _, rest = name.partition(".")
        spec = importlib.machinery.PathFinder.find_spec(top, [str(Path.cwd())])
        if spec is None or spec.origin is None:
            spec = importlib.util.find_spec(top)
        if spec is None:
            close = nearest(name, [path.stem for path in Path.cwd().iterdir()])
            hint = f"did you mean {close}?" if close else ""
            self._findings.append(Finding(where or name, f"there is no file, folder or module {name}", hint))
            return None
        if spec.origin is None or not spec.origin.endswith(".py"):
            hint = "give the path of its file or folder instead"
            self._findings.append(Finding(where or name, f"{top} is no package with Python source", hint))
            return None
        file = Path(spec.origin)
        folder = file.parent.parent if spec.submodule_search_locations else file.parent
        private = (
            f"{self._space.root(folder)}.{top}" if folder == Path.cwd() else self._space.package(top, folder)
        )
        return f"{private}.{rest}" if rest else private

    def _load(
        self, where: str, names: list[str], attribute: str | None = None, *, installed: bool = False
    ) -> None:
        """Import *names* and keep what is marked in them."""
        loaded = [module for name in names if (module := self._import(name, where))]
        marked = 0
        for module in loaded:
            for name, value in list(vars(module).items()):
                mark = mark_of(value)
                if mark is None:
                    self._check_stray(value, module)
                elif attribute in (None, name):
                    marked += 1
                    self._found.setdefault(
                        id(value), Found(value, mark, f"{shown(mark.file)}:{mark.line}", installed)
                    )
        if not marked and len(loaded) == len(names):
            hint = self._suggestion(loaded)
            self._findings.append(Finding(where, "has nothing marked @service, @rpc or @interceptor", hint))

    def _import(self, name: str, where: str) -> ModuleType | None:
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a plugin raises becomes a finding
            file = next((shown(file) for file, known in self._names.items() if known == name), where)
            self._findings.append(fault(error, self._space, file))
            return None

    def _check_stray(self, value: object, module: ModuleType) -> None:
        """A method marked @rpc would never be found, so its author is told."""
        if not isinstance(value, type) or value.__module__ != module.__name__:
            return
        for name, member in vars(value).items():
            if mark_of(member) is not None:
                what = f"@rpc stands on {value.__name__}.{name}, but marks functions outside classes"
                hint = '@service("package.Service") on the class binds its methods by their names'
                self._findings.append(Finding(place_of(member) or module.__name__, what, hint))

    def _suggestion(self, modules: list[ModuleType]) -> str:
        """How to mark the class that looks like a service, if there is one."""
        services = {name.rpartition(".")[2]: name for name in (self._schema.services if self._schema else ())}
        for module in modules:
            for name, value in vars(module).items():
                close = (
                    nearest(name, services)
                    if isinstance(value, type) and value.__module__ == module.__name__
                    else None
                )
                if close:
                    return f'did you mean @service("{services[close]}") on class {name}?'
        return 'put @service("package.Service") on a class'


def _files_in(folder: Path) -> Iterator[Path]:
    """The Python files of *folder* and its folders, sorted by name, each folder once."""
    seen: set[Path] = set()

    def walk(folder: Path) -> Iterator[Path]:
        # Resolved, as links may lead in circles.
        if folder.resolve() in seen:
            return
        seen.add(folder.resolve())
        if (folder / "__init__.py").is_file():
            yield folder / "__init__.py"
        for path in sorted(folder.iterdir()):
            if path.name.startswith(("_", ".")):
                continue
            if path.is_dir():
                yield from walk(path)
            elif path.suffix == ".py" and path.is_file():
                yield path

    yield from walk(folder)


def _missing_path(path: Path) -> Finding:
    parent = path.parent
    if not parent.is_dir():
        return Finding(str(path), "there is no such file or folder", f"{parent} is not a folder")
    close = nearest(path.name, [other.name for other in parent.iterdir()])
    hint = f"did you mean {parent / close}?" if close else ""
    return Finding(str(path), "there is no such file or folder", hint)


@functools.cache
def _installed() -> tuple[importlib.metadata.EntryPoint, ...]:
    # Once a process: reading all metadata takes milliseconds, and installing asks for a restart anyway.
    return tuple(importlib.metadata.entry_points(group=GROUP))
