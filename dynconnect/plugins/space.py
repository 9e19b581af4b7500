"""A private package in which the plugins of one generation live.

Every generation executes its plugins anew, under names of its own such as
``dynconnect_plugins_g7.plugins.eliza``. Relative imports stay inside, and so does ``import helper``
of a module beside the plugin, or in the working directory unless the process has it already. What is
installed is imported as ever, shared by all generations, and comes before a neighbour of that name.

``import helper`` cannot be left to a finder: `sys.modules` is asked first, and it does not know who
asks. So modules in here see an ``__import__`` of their own, which maps the names that are theirs. The
rest of the process does not notice.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib.abc
import importlib.util
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.resources.abc import TraversableResources
from pathlib import Path
from types import ModuleType
from typing import Any

from dynconnect.plugins import types
from dynconnect.plugins.locate import find_module

_PREFIX = "dynconnect_plugins_g"
_SPACE = "__dynconnect_space__"
_PRIVATE = re.compile(rf"\b{_PREFIX}\w+\.(?:\w+\.)?")


def public(text: str) -> str:
    """*text* with module names as a plugin's author knows them, without their private packages."""
    return _PRIVATE.sub("", text)


class Space:
    """The modules of one generation.

    Attributes:
        name: of the private package.
        sources: for each executed file its module's name, and the hash of what was executed.
        builtins: what modules in here see as such.
    """

    def __init__(self, generation: int) -> None:
        self.name = _reserve(generation, self)
        self._keepers = 1
        self.sources: dict[Path, tuple[str, bytes]] = {}
        self.builtins = {**vars(builtins), "__import__": self._import}
        self._folders: dict[Path, str] = {}
        self._packages: dict[str, str] = {}
        self._known: dict[tuple[str, str], str | None] = {}

    def add_folder(self, folder: Path) -> str:
        """The private name of *folder*, in which modules may import each other by plain names."""
        if folder not in self._folders:
            self._folders[folder] = self._add(folder.name, folder, _Folder())
        return self._folders[folder]

    def add_package(self, top: str, folder: Path) -> str:
        """The private name of *folder*, of which the module *top* alone is private, for all modules here."""
        if top not in self._packages:
            self._packages[top] = self._add(top, folder, _Only(top))
        return self._packages[top]

    def keep(self) -> None:
        """Let one more `close` pass before the modules go."""
        self._keepers += 1

    def close(self) -> None:
        """Take every module out of `sys.modules`; code that still runs keeps its globals."""
        self._keepers -= 1
        if self._keepers > 0:
            return
        # getLogger(__name__) would keep a logger for each module of each generation.
        for registry in (sys.modules, logging.Logger.manager.loggerDict):
            for name in list(registry):
                if name == self.name or name.startswith(f"{self.name}."):
                    registry.pop(name, None)

    def _add(self, label: str, folder: Path, loader: importlib.abc.Loader) -> str:
        label = base = f"{self.name}.{re.sub(r'[^a-zA-Z0-9_]', '_', label)}"
        attempt = 1
        while not _add_package(label, [str(folder)], loader):
            attempt += 1
            label = f"{base}_{attempt}"
        return label

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002  the signature of __import__, Any included
        locals: Mapping[str, Any] | None = None,  # noqa: A002  likewise
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level == 0 and top == types.ROOT:
            # sys.modules may still hold a package that the schema has lost.
            types.check_package(name)
        elif level == 0 and globals is not None:
            private = self._private(str(globals.get("__package__") or ""), top)
            if private is not None:
                module = builtins.__import__(private + name[len(top) :], globals, locals, fromlist or (), 0)
                return module if fromlist else sys.modules[private]
        return builtins.__import__(name, globals, locals, fromlist, level)

    def _private(self, package: str, top: str) -> str | None:
        """What plain *top* means to a module of *package*; None if it is not one of ours."""
        if top in self._packages:
            return f"{self._packages[top]}.{top}"
        key = (package, top)
        if key not in self._known:
            self._known[key] = self._beside(package, top)
        return self._known[key]

    def _beside(self, package: str, top: str) -> str | None:
        """The private name of *top* beside *package*, above it, or in the working directory."""
        ours = False
        while package.startswith(f"{self.name}."):
            spec = getattr(sys.modules.get(package), "__spec__", None)
            # Inside a regular package a plain name does not mean a neighbour, as ever in Python.
            if spec is not None and isinstance(spec.loader, _Folder) and spec.loader.has(top):
                ours = True
                file = find_module(spec.submodule_search_locations or (), top)
                if file is not None:
                    return None if _is_installed(top, file) else f"{package}.{top}"
            package = package.rpartition(".")[0]
        return self._here(top) if ours else None

    def _here(self, top: str) -> str | None:
        """The private name of *top* in the working directory."""
        # A program that embeds the server has imported its own modules, and shares them with its plugins.
        file = find_module([Path.cwd()], top)
        if file is None or top in sys.modules or _is_installed(top, file):
            return None
        return f"{self.add_folder(Path.cwd())}.{top}"


class _Resources(TraversableResources):
    """The files beside a module, for `importlib.resources`."""

    def __init__(self, fullname: str) -> None:
        self._folder = Path(sys.modules[fullname].__path__[0])

    def files(self) -> Path:
        return self._folder


class _Folder(importlib.abc.Loader):
    """A folder without ``__init__.py``."""

    def exec_module(self, module: ModuleType) -> None:
        pass

    def get_resource_reader(self, fullname: str) -> _Resources:
        return _Resources(fullname)

    def has(self, name: str) -> bool:  # noqa: ARG002  for _Only
        """Whether *name* in the folder is private."""
        return True


class _Only(_Folder):
    """A folder of which a single module is private: all that is installed may be beside it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def has(self, name: str) -> bool:
        return name == self._name


class _Source(importlib.abc.InspectLoader):
    """Executes one file from its source: no bytecode is kept, so an edit within a second is seen."""

    def __init__(self, space: Space, file: Path) -> None:
        self._space = space
        self._file = file

    def get_source(self, fullname: str) -> str:  # noqa: ARG002  the loader's interface
        return importlib.util.decode_source(self._file.read_bytes())

    def is_package(self, fullname: str) -> bool:  # noqa: ARG002  likewise
        return self._file.name == "__init__.py"

    def get_resource_reader(self, fullname: str) -> _Resources:
        return _Resources(fullname)

    def exec_module(self, module: ModuleType) -> None:
        source = self._file.read_bytes()
        name = public(module.__name__)
        self._space.sources[self._file] = (name, hashlib.sha256(source).digest())
        code = compile(source, str(self._file), "exec", dont_inherit=True)
        vars(module)["__builtins__"] = self._space.builtins
        exec(code, vars(module))  # noqa: S102  it is what importing means


class _Finder(importlib.abc.MetaPathFinder):
    """Finds what is below the private packages. It holds nothing, so one stays for good."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: object = None,  # noqa: ARG002  the finder's interface
    ) -> ModuleSpec | None:
        """The module *fullname* of a private package; None leaves it to the finders after this one.

        Raises:
            ModuleNotFoundError: its package has no such module, whatever an older one had.
        """
        if not fullname.startswith(_PREFIX) or path is None:
            return None
        first, (parent, _, last) = fullname.partition(".")[0], fullname.rpartition(".")
        space: Space | None = getattr(sys.modules.get(first), _SPACE, None)
        loader = getattr(sys.modules.get(parent), "__loader__", None)
        if isinstance(loader, _Folder) and not loader.has(last):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        file = find_module(path, last)
        if space is None or file is None:
            return None  # the finders after this one know extension modules
        if file.is_dir():
            return _package_spec(fullname, [str(file)], _Folder())
        inside = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, file, loader=_Source(space, file), submodule_search_locations=inside
        )


def _reserve(generation: int, space: Space) -> str:
    """Make the private package of *space*; its name."""
    name = base = f"{_PREFIX}{generation}"
    attempt = 1
    # A process may hold several servers, and each counts its generations from 1.
    while not _add_package(name, [], _Folder()):
        attempt += 1
        name = f"{base}_{attempt}"
    setattr(sys.modules[name], _SPACE, space)
    return name


def _add_package(name: str, folders: list[str], loader: importlib.abc.Loader) -> bool:
    """Make the package *name* over *folders*, unless there is one of this name."""
    module = importlib.util.module_from_spec(_package_spec(name, folders, loader))
    return sys.modules.setdefault(name, module) is module


def _package_spec(name: str, folders: list[str], loader: importlib.abc.Loader) -> ModuleSpec:
    spec = ModuleSpec(name, loader, is_package=True)
    spec.submodule_search_locations = folders
    return spec


def _is_installed(top: str, file: Path) -> bool:
    """Whether *top* means something else than *file* to the rest of the process."""
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a module without a spec, such as __main__
        return True
    # A namespace has no origin: a stray folder in the working directory is nobody's module.
    return spec is not None and spec.origin is not None and spec.origin != str(file)


sys.meta_path.insert(0, _Finder())
