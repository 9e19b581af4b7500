"""``.proto`` sources: where their imports begin, and under which import path each of them is known.

A folder that was named is an import root, as it would be with protoc's ``-I``; several are roots of each
other. A file that was named by itself says by its imports where its root is, else by its package:
``shop/v1/shop.proto`` of package ``shop.v1`` lies two folders below; else it is its own folder.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynconnect.schema.finding import Finding, SchemaError
from dynconnect.schema.imports import is_installed
from dynconnect.schema.sources import Found

# Comments too are searched: what is not there is not followed, and what is there costs little.
_IMPORT = re.compile(rb'^\s*import\s+(?:(?:public|weak|option)\s+)?["\']([^"\'\n]+)["\']', re.MULTILINE)
_PACKAGE = re.compile(rb"^\s*package\s+([\w.]+)\s*;", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Proto:
    """One source to compile.

    Attributes:
        path: as its user would write it.
        root: the folder in which its import path begins, absolute.
        name: its import path.
        origin: what named it, for messages.
    """

    path: Path
    root: Path
    name: str
    origin: str

    @property
    def absolute(self) -> Path:
        """Where it is, whatever the working directory."""
        return self.root / self.name


def roots_of(protos: Iterable[Proto]) -> list[Path]:
    """The import roots of *protos*. A root within another comes first, as the files in it are its own."""
    return sorted({proto.root for proto in protos}, key=lambda root: (-len(root.parts), root))


def locate(found: Sequence[Found]) -> list[Proto]:
    """The sources among *found*, and what those of them import that were named by themselves.

    Raises:
        SchemaError: with a finding for each two files of one import path that differ.
    """
    roots = _roots(found)
    protos = [_proto(file, roots[file.path]) for file in found]
    if not all(file.in_folder for file in found):
        protos += _imported(protos)
    return _distinct(protos)


def imports_of(text: bytes) -> list[str]:
    """The import paths in *text*."""
    return [path.decode(errors="replace") for path in _IMPORT.findall(text)]


def _roots(found: Sequence[Found]) -> dict[Path, Path]:
    """The root of each file: first of those that are sure of it, then of those that lie within these."""
    named = {_absolute(file.base) for file in found if file.in_folder}
    roots: dict[Path, Path] = {}
    for file in found:
        root = _innermost(file.path, named) or _inferred(file.path)
        if root is not None:
            roots[file.path] = root
    known = set(roots.values())
    for file in found:
        if file.path not in roots:
            roots[file.path] = _innermost(file.path, known) or _absolute(file.base)
    return roots


def _inferred(path: Path) -> Path | None:
    """The root that the file at *path* asks for by its imports, else by its package; None if by neither."""
    text, folders = _read(path), _absolute(path).parents
    wanted = [name for name in imports_of(text) if not is_installed(name)]
    if wanted:
        has = Counter({folder: sum((folder / name).is_file() for name in wanted) for folder in folders})
        folder, most = has.most_common(1)[0]  # of equals the first, which is the innermost
        if most:
            return folder
    if package := _PACKAGE.search(text):
        parts = tuple(package[1].decode().split("."))
        if folders[0].parts[-len(parts) :] == parts:
            return folders[len(parts)]
    return None


def _innermost(path: Path, roots: Iterable[Path]) -> Path | None:
    above = [root for root in roots if _absolute(path).is_relative_to(root)]
    return max(above, key=lambda root: len(root.parts), default=None)


def _proto(file: Found, root: Path) -> Proto:
    return Proto(file.path, root, _absolute(file.path).relative_to(root).as_posix(), file.pattern)


def _imported(protos: Sequence[Proto]) -> Iterator[Proto]:
    """What *protos* import from their roots, and theirs in turn, as far as it is not among them."""
    roots, known = roots_of(protos), {proto.name for proto in protos}
    waiting = list(protos)
    while waiting:
        importer = waiting.pop()
        for name in imports_of(_read(importer.absolute)):
            root = next((root for root in roots if (root / name).is_file()), None)
            if root is None or name in known:
                continue
            known.add(name)
            new = Proto(_shown(root / name), root, name, importer.origin)
            waiting.append(new)
            yield new


def _distinct(protos: Iterable[Proto]) -> list[Proto]:
    """*protos*, of which each import path is taken once."""
    distinct: dict[str, Proto] = {}
    findings: list[Finding] = []
    for proto in protos:
        first = distinct.setdefault(proto.name, proto)
        if _read(first.absolute) != _read(proto.absolute):
            what = f"has the import path {proto.name}, and so has {first.path}, which differs"
            findings.append(Finding(str(proto.path), what, "leave one out, or name a folder above both"))
    if findings:
        raise SchemaError(findings)
    return list(distinct.values())


def _read(path: Path) -> bytes:
    """The text at *path*; nothing if it can't be read, which is the compiler's to say."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _absolute(path: Path) -> Path:
    # Not `resolve`: a link's own place counts, as it does for compilers.
    return Path(os.path.abspath(path))  # noqa: PTH100  pathlib has nothing that takes ".." out and keeps links


def _shown(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
