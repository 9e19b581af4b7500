"""Inputs: the files that a generation is made of, where they stand and what is in them.

What was touched, an event says; what has changed, only contents do. Links count on the whole way, as
deployments swap a whole tree by putting one link in the place of another.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dynconnect.plugins.locate import PluginError, locate_module
from dynconnect.plugins.settings import FILE
from dynconnect.schema import load
from dynconnect.schema.sources import is_ignored

_LINKS_MAX = 40
"""How many links one path may lead through: what Linux follows."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the command line names.

    Attributes:
        schema: descriptor sets, .proto files, globs and folders.
        plugins: files, folders and modules.
        config: the file of the plugins' settings; None is that of the working directory, if it is there.
        protoc: the compiler of .proto files; None takes what there is.
    """

    schema: tuple[str, ...]
    plugins: tuple[str, ...] = ()
    config: str | None = None
    protoc: str | None = None


@dataclass(slots=True)
class Watched:
    """What to look at for changes of *inputs*.

    Attributes:
        known: files that count although no input names them: helper modules outside its folder.
    """

    inputs: Inputs
    known: frozenset[Path] = field(default=frozenset())

    def contents(self) -> Mapping[Path, bytes]:
        """A hash of each file there is. Nothing is raised: what is wrong, building says."""
        found: dict[Path, bytes] = {}
        for file in self._files():
            try:
                found[file] = hashlib.sha256(file.read_bytes()).digest()
            except OSError:
                continue
        return found

    def folders(self) -> frozenset[Path]:
        """The folders in which a change may change `contents`, as far as they exist."""
        roots = [*load.roots_of(self.inputs.schema), *_plugin_roots(self.inputs.plugins)]
        found: set[Path] = set()
        for root in roots:
            found.update(_below(root.absolute()))
        for path in (*(root.absolute() for root in roots), *self._files()):
            found.update(_on_the_way(path))
        return frozenset(found)

    def _files(self) -> set[Path]:
        config = Path(self.inputs.config or FILE)
        schema, plugins = load.files_of(self.inputs.schema), _plugin_files(self.inputs.plugins)
        files = (*schema, *plugins, config, *self.known)
        return {file.absolute() for file in files}


def _plugin_roots(paths: Iterable[str]) -> Iterator[Path]:
    """Files and folders of plugins, as paths."""
    for name in paths:
        path = Path(name)
        if path.exists() or path.suffix == ".py" or os.sep in name:
            yield path
            continue
        try:
            located = locate_module(name)
        except PluginError:
            yield path
        else:
            yield from (file for _, file in located.modules)


def _plugin_files(paths: Iterable[str]) -> Iterator[Path]:
    """All modules in the folders of plugins and beside their files: a helper's name may begin with ``_``."""
    for path in _plugin_roots(paths):
        folders = _below(path) if path.is_dir() else [path.parent]
        for folder in folders:
            try:
                yield from sorted(file for file in folder.iterdir() if file.suffix == ".py")
            except OSError:
                continue


def _below(folder: Path) -> Iterator[Path]:
    """*folder* and the folders in it, but none that is hidden; through links, but not in circles."""
    seen: set[Path] = set()
    for parent, folders, _ in os.walk(folder, followlinks=True):
        resolved = Path(parent).resolve()
        if resolved in seen:
            folders.clear()
            continue
        seen.add(resolved)
        folders[:] = [name for name in folders if not is_ignored(name) and name != "__pycache__"]
        yield Path(parent)


def _on_the_way(path: Path) -> Iterator[Path]:
    """Folders where another entry would make *path* mean another file: its own, and those of links to it."""
    for _ in range(_LINKS_MAX):
        yield next(folder for folder in path.parents if folder.is_dir())
        link = next((part for part in (*reversed(path.parents), path) if part.is_symlink()), None)
        if link is None:
            return
        yield link.parent
        path = Path(os.path.normpath(link.parent / link.readlink() / path.relative_to(link)))
