"""From what ``--plugins`` names to the files behind it. Nothing is executed here.

A path is one of
- a file;
- a folder: every ``.py`` file in it and in its folders, but none whose name begins with ``_`` or
  ``.``; a folder with ``__init__.py`` is a package, and begins with that;
- a dotted module name, looked up in the working directory and then like any import; its top-level
  package is executed anew, and of a package only what it imports itself.
"""

from __future__ import annotations

import importlib.util
import os
import pkgutil
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynconnect.plugins.places import did_you_mean
from dynconnect.schema.finding import Finding, FindingsError

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_KINDS = "a plugin is a .py file, a folder of them or the dotted name of a module"


class PluginError(FindingsError):
    """Plugins cannot be loaded or do not fit the schema."""


@dataclass(frozen=True, slots=True)
class Located:
    """What one path means.

    Attributes:
        where: the path, for findings.
        folder: where plain imports start.
        only: the top-level module that is ours, if not all of *folder* is.
        modules: dotted names as seen from *folder*, with their files.
    """

    where: str
    folder: Path
    only: str | None
    modules: tuple[tuple[str, Path], ...]


def locate(path: str) -> Located:
    """The files that *path* means.

    Raises:
        PluginError: if there are none, with the nearest name.
    """
    file = Path(path)
    try:
        if file.is_dir():
            return _of_folder(path, file.absolute())
        if file.is_file():
            return _of_file(path, file.absolute())
    except OSError as error:
        raise PluginError([Finding(path, f"cannot be read: {error.strerror}")]) from None
    if _DOTTED.fullmatch(path) and file.suffix != ".py":
        return locate_module(path)
    raise _missing(file)


def locate_module(name: str, where: str = "") -> Located:
    """The file of the module *name*; *where* is what names it, if that is not its own name.

    Raises:
        PluginError: if there is none, with the nearest name.
    """
    where = where or name
    top, *rest = name.split(".")
    folder, only = _top_level(where, top)
    file = folder
    for part in (top, *rest):
        file = _below(where, file, part)
    if file.is_dir():
        return _of_folder(where, file)
    return Located(where, folder, only, ((name, file),))


def find_module(folders: Sequence[str | Path], name: str) -> Path | None:
    """The file of the module *name* in one of *folders*, or its folder if it has no ``__init__.py``."""
    for folder in map(Path, folders):
        for file in (folder / name / "__init__.py", folder / f"{name}.py"):
            if file.is_file():
                return file
    return next((Path(folder, name) for folder in folders if Path(folder, name).is_dir()), None)


def _of_folder(where: str, folder: Path) -> Located:
    root = _root(folder)
    modules = [(_dotted(file, root), file) for file in _files(folder, set())]
    if not modules:
        hint = "files that begin with _ or . are left out" if any(folder.glob("*.py")) else _KINDS
        raise PluginError([Finding(where, "there is no plugin in this folder", hint)])
    return Located(where, root, None, tuple(modules))


def _of_file(where: str, file: Path) -> Located:
    if file.suffix != ".py":
        raise PluginError([Finding(where, "this is not a Python file", _KINDS)])
    root = _root(file.parent)
    return Located(where, root, None, ((_dotted(file, root), file),))


def _root(folder: Path) -> Path:
    """The first folder from *folder* upwards that is no package."""
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _dotted(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    if any("." in part for part in parts):
        raise PluginError([Finding(str(file), "a module's name has no dot in it", "rename the file")])
    return ".".join(parts)


def _files(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """The plugin files of *folder* and its folders, each folder's in the order of names."""
    # Resolved, as links may lead in circles.
    resolved = folder.resolve()
    if resolved in seen:
        return
    seen.add(resolved)
    if (folder / "__init__.py").is_file():
        yield folder / "__init__.py"
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", ".")):
            continue
        if path.is_dir():
            yield from _files(path, seen)
        elif path.suffix == ".py" and path.is_file():
            yield path


def _top_level(where: str, name: str) -> tuple[Path, str | None]:
    """The folder of the top-level module *name*, and that name if nothing else in there is ours."""
    # Python does not look in the working directory for a command that is installed elsewhere.
    here = find_module([Path.cwd()], name)
    if here is not None and here.is_file():
        return Path.cwd(), None
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module without a spec, such as __main__
        spec = None
    if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
        file = Path(spec.origin)
        return (file.parent.parent if spec.submodule_search_locations else file.parent), name
    if here is not None:
        return Path.cwd(), None
    if spec is not None:
        hint = "give the path of its file or folder instead"
        raise PluginError([Finding(where, f"{name} has no Python source", hint)])
    hint = did_you_mean(name, _neighbours(Path.cwd()))
    raise PluginError([Finding(where, "there is no such file, folder or module", hint)])


def _below(where: str, package: Path, name: str) -> Path:
    """The file, or the folder, of the module *name* of *package*."""
    folder = package if package.is_dir() else package.parent
    found = find_module([folder], name) if package.is_dir() or package.name == "__init__.py" else None
    if found is None:
        hint = did_you_mean(name, _neighbours(folder))
        raise PluginError([Finding(where, f"there is no module {name} in it", hint)])
    return found


def _missing(path: Path) -> PluginError:
    what = "there is no such file or folder"
    if not path.parent.is_dir():
        return PluginError([Finding(str(path), what, f"there is no folder {path.parent} either")])
    folder = "" if path.parent == Path() else f"{path.parent}{os.sep}"
    hint = did_you_mean(path.name, [other.name for other in path.parent.iterdir()], folder)
    return PluginError([Finding(str(path), what, hint)])


def _neighbours(folder: Path) -> list[str]:
    """What can be named in *folder*: modules, and folders of plugins."""
    modules = [module.name for module in pkgutil.iter_modules([str(folder)])]
    return modules + [path.name for path in folder.iterdir() if path.is_dir()]
