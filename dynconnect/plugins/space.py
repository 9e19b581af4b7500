"""A private package in which one generation's plugins live.

Every generation executes its plugins anew, under names of its own such as
``dynconnect_plugins_g7.plugins.eliza``. Relative imports and ``import helper`` of a module beside
the plugin stay inside; whatever is installed is imported as ever and shared by all generations.

``import helper`` cannot be left to a finder: `sys.modules` is asked first, and it does not know
who imports. So modules in here see an ``__import__`` of their own, which maps the names that are
theirs. It costs nothing elsewhere in the process.
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
from pathlib import Path
from types import ModuleType
from typing import Any

from dynconnect.plugins import types

_PREFIX = "dynconnect_plugins_g"
_SPACE = "__dynconnect_space__"


class Space:
    """The modules of one generation.

    Attributes:
        name: of the private package.
        sources: for each executed file its module's name, and the hash of what was executed.
    """

    def __init__(self, generation: int) -> None:
        self.name = _reserve(generation, self)
        self.sources: dict[Path, tuple[str, bytes]] = {}
        self.builtins = {**vars(builtins), "__import__": self._import}
        self.roots: dict[Path, str] = {}
        self._fresh: dict[str, str] = {}
        self._private: dict[tuple[str, str], str | None] = {}

    def root(self, folder: Path) -> str:
        """The private name of *folder*, whose modules may be imported by plain names from in there."""
        if folder not in self.roots:
            label = base = re.sub(r"\W", "_", folder.name) or "_"
            while f"{self.name}.{label}" in self.roots.values():
                label = f"{base}_{len(self.roots)}"
            self.roots[folder] = f"{self.name}.{label}"
            _add_package(self.roots[folder], [str(folder)], _Folder())
        return self.roots[folder]

    def package(self, top: str, folder: Path) -> str:
        """The private name of the top-level module *top* in *folder*; it is fresh for every plugin.

        Of its folder, which may be all that is installed, nothing else becomes private.
        """
        if top not in self._fresh:
            name = f"{self.name}.{top}"
            while name in sys.modules:
                name += "_"
            _add_package(name, [str(folder)], _Only(top))
            self._fresh[top] = f"{name}.{top}"
        return self._fresh[top]

    def public(self, text: str) -> str:
        """*text* with the names that a plugin's author knows in place of the private ones."""
        for name in sorted(
            (*self.roots.values(), *(fresh.rpartition(".")[0] for fresh in self._fresh.values())),
            key=len,
            reverse=True,
        ):
            text = text.replace(f"{name}.", "").replace(name, name.rpartition(".")[2])
        return text

    def close(self) -> None:
        """Take every module out of `sys.modules`; code that still runs keeps its globals."""
        inside = f"{self.name}."
        for name in [name for name in sys.modules if name == self.name or name.startswith(inside)]:
            del sys.modules[name]
        # getLogger(__name__) would keep a logger for every module of every generation.
        loggers = logging.Logger.manager.loggerDict
        for name in [name for name in list(loggers) if name == self.name or name.startswith(inside)]:
            del loggers[name]

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002  the signature of __import__, Any included
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0 and globals is not None:
            top = name.partition(".")[0]
            if top == types.ROOT:
                # sys.modules may still have a package that the schema has lost.
                types.check_package(name)
            private = self._private_name(str(globals.get("__package__") or ""), top)
            if private is not None:
                module = builtins.__import__(private + name[len(top) :], globals, locals, fromlist, 0)
                return module if fromlist else sys.modules[private]
        return builtins.__import__(name, globals, locals, fromlist, level)

    def _private_name(self, package: str, top: str) -> str | None:
        """What plain *top* means to a module of *package*; None if it is not one of ours."""
        if top in self._fresh:
            return self._fresh[top]
        key = (package, top)
        if key not in self._private:
            self._private[key] = self._find_beside(package, top)
        return self._private[key]

    def _find_beside(self, package: str, top: str) -> str | None:
        while package.startswith(f"{self.name}."):
            spec = getattr(sys.modules.get(package), "__spec__", None)
            # Inside a regular package a plain name does not mean a neighbour, in Python at large neither.
            if spec is not None and isinstance(spec.loader, _Folder):
                file = _locate(spec.submodule_search_locations or (), top)
                if file is not None:
                    return None if _is_installed(top, file) else f"{package}.{top}"
            package = package.rpartition(".")[0]
        return None


class _Finder(importlib.abc.MetaPathFinder):
    """Finds what is below the private packages; it knows nothing else and stays for good."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: object = None,  # noqa: ARG002  the finder's interface
    ) -> ModuleSpec | None:
        if not fullname.startswith(_PREFIX) or path is None:
            return None
        space: Space | None = getattr(sys.modules.get(fullname.partition(".")[0]), _SPACE, None)
        parent, _, last = fullname.rpartition(".")
        only = getattr(sys.modules[parent].__spec__, "loader", None)
        if space is None or (isinstance(only, _Only) and only.name != last):
            return None
        file = _locate(path, last)
        if file is None:
            return None
        if file.is_dir():
            spec = ModuleSpec(fullname, _Folder(), is_package=True)
            spec.submodule_search_locations = [str(file)]
            return spec
        folders = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, file, loader=_Source(space, file), submodule_search_locations=folders
        )


class _Source(importlib.abc.InspectLoader):
    """Executes one file from its source: no bytecode is kept, so an edit within a second is seen."""

    def __init__(self, space: Space, file: Path) -> None:
        self._space = space
        self._file = file

    def get_source(self, fullname: str) -> str:  # noqa: ARG002  the loader's interface
        return importlib.util.decode_source(self._file.read_bytes())

    def is_package(self, fullname: str) -> bool:  # noqa: ARG002  likewise
        return self._file.name == "__init__.py"

    def exec_module(self, module: ModuleType) -> None:
        source = self._file.read_bytes()
        self._space.sources[self._file] = (
            self._space.public(module.__name__),
            hashlib.sha256(source).digest(),
        )
        code = compile(source, str(self._file), "exec", dont_inherit=True)
        vars(module)["__builtins__"] = self._space.builtins
        exec(code, vars(module))  # noqa: S102  it is what importing means


class _Folder(importlib.abc.Loader):
    """A folder without ``__init__.py``: its modules may import each other by plain names."""

    def exec_module(self, module: ModuleType) -> None:
        pass


class _Only(importlib.abc.Loader):
    """A folder of which a single module is private."""

    def __init__(self, name: str) -> None:
        self.name = name

    def exec_module(self, module: ModuleType) -> None:
        pass


_FINDER = _Finder()


def _reserve(generation: int, space: Space) -> str:
    """Put the private package of *space* into `sys.modules`; its name."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    name, attempt = f"{_PREFIX}{generation}", 1
    # A process may hold several servers, and each counts its generations from 1.
    while name in sys.modules or not _add_package(name, [], _Folder()):
        attempt += 1
        name = f"{_PREFIX}{generation}_{attempt}"
    setattr(sys.modules[name], _SPACE, space)
    return name


def _add_package(name: str, folders: list[str], loader: importlib.abc.Loader) -> bool:
    """Make the package *name* over *folders*, unless there is one by now."""
    spec = ModuleSpec(name, loader, is_package=True)
    spec.submodule_search_locations = folders
    module = importlib.util.module_from_spec(spec)
    return sys.modules.setdefault(name, module) is module


def _locate(folders: Sequence[str], name: str) -> Path | None:
    """The file of module *name* in one of *folders*, or its folder if it is a namespace."""
    for folder in map(Path, folders):
        for file in (folder / name / "__init__.py", folder / f"{name}.py"):
            if file.is_file():
                return file
    return next((Path(folder, name) for folder in folders if Path(folder, name).is_dir()), None)


def _is_installed(top: str, file: Path) -> bool:
    """Whether *top* means something else than *file* to the rest of the process."""
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a module without a spec, such as __main__
        return True
    # A namespace has no origin: a stray folder in the working directory is nobody's module.
    return spec is not None and spec.origin is not None and spec.origin != str(file)
