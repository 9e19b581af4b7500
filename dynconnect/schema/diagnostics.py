"""What compilers say, as findings: file, line and column, what is wrong, and what to do where that is plain.

Sources: protoc prints ``FILE:LINE:COLUMN: [warning: ]MESSAGE``, where the file is an import path or where
it was found; buf with ``--error-format json`` an object a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dynconnect.schema.finding import Finding, nearest
from dynconnect.schema.imports import is_installed
from dynconnect.schema.protos import Proto, imports_of, roots_of

_PLACED = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<warning>warning: )?(?P<what>.+)")
_UNPLACED = re.compile(r"(?P<file>[^:\s]+\.proto): (?P<what>.+)")
_REMARK = re.compile(r".*\bparser\.cc:\d+\] (?P<what>.+)")

_NO_IMPORT = re.compile(r'Import "(.+)" was not found or had errors\.')
_NO_IMPORT_OF_BUF = "imported file does not exist"
_NOT_FOUND = "File not found."
_UNDEFINED = re.compile(r'"(.+)" is not defined\.|cannot find `(.+)` in this scope')
_DECLARED = re.compile(r"^\s*(?:message|enum)\s+(\w+)", re.MULTILINE)
_SCALARS = (
    *("double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64"),
    *("fixed32", "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes"),
)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that a compiler says.

    Attributes:
        file: where, as the compiler writes it.
        place: ``:line:column``, or nothing.
        what: its words.
        is_warning: it compiled nevertheless.
    """

    file: str
    place: str
    what: str
    is_warning: bool = False


def of_protoc(errors: str) -> Iterator[Diagnostic]:
    """The diagnostics in protoc's stderr *errors*."""
    for line in errors.splitlines():
        if match := _PLACED.fullmatch(line):
            place = f":{match['line']}:{match['column']}"
            yield Diagnostic(match["file"], place, match["what"], match["warning"] is not None)
        elif match := _UNPLACED.fullmatch(line):
            yield Diagnostic(match["file"], "", match["what"])
        elif match := _REMARK.fullmatch(line):
            yield Diagnostic("", "", match["what"], is_warning=True)


def of_buf(errors: str) -> Iterator[Diagnostic]:
    """The diagnostics in buf's stderr *errors*."""
    for line in errors.splitlines():
        try:
            said = json.loads(line)
            place = f":{said['start_line']}:{said['start_column']}" if "start_line" in said else ""
            yield Diagnostic(said["path"], place, said["message"])
        except (ValueError, KeyError, TypeError):
            # Its own words, of its configuration or the network.
            continue


class Reader:
    """Makes findings of diagnostics about *protos*; `available` are other import paths there are."""

    def __init__(self, protos: Collection[Proto], available: Iterable[str] = ()) -> None:
        self._protos = {proto.name: proto for proto in protos}
        # Old compilers write the one, new ones the other; buf writes what its user would.
        self._by_file = {str(proto.absolute): proto for proto in protos} | self._protos
        self._by_file |= {str(proto.path): proto for proto in protos}
        self._names = (*self._protos, *available)
        self._types: Mapping[str, str] | None = None

    def findings(self, diagnostics: Iterable[Diagnostic]) -> list[Finding]:
        """What is wrong, without what only follows from it: that an import has errors of its own."""
        found = [said for said in diagnostics if not said.is_warning]
        faulty = {self._name(said.file) for said in found if said.place}
        missing = [self._missing_import(said) for said in found]
        findings: list[Finding] = []
        for said, name in zip(found, missing, strict=True):
            if name in faulty or (said.what == _NOT_FOUND and said.file in missing):
                continue
            what = said.what if name is None else f"{name} is imported, and there is no such file"
            findings.append(Finding(self.where(said), what, self._hint(said, name)))
        return list(dict.fromkeys(findings))

    def where(self, said: Diagnostic) -> str:
        """The place of *said*, as its user would write it."""
        proto = self._by_file.get(said.file)
        return f"{said.file if proto is None else proto.path}{said.place}"

    def _name(self, file: str) -> str:
        proto = self._by_file.get(file)
        return file if proto is None else proto.name

    def _missing_import(self, said: Diagnostic) -> str | None:
        """The import path that *said* is about, if it says that there is no such file."""
        if match := _NO_IMPORT.fullmatch(said.what):
            return match[1]
        if said.what != _NO_IMPORT_OF_BUF:
            return None
        # buf says no more than where the import stands.
        lines = _text(self._by_file[said.file].absolute).split("\n") if said.file in self._by_file else []
        number = int(said.place.split(":")[1]) if said.place else 0
        names = imports_of(lines[number - 1].encode()) if 0 < number <= len(lines) else []
        return names[0] if names else None

    def _hint(self, said: Diagnostic, missing: str | None) -> str:
        if missing is not None:
            return self._other_import(missing, self._by_file.get(said.file))
        if match := _UNDEFINED.fullmatch(said.what):
            return self._other_type((match[1] or match[2]).lstrip("."))
        return ""

    def _other_import(self, name: str, importer: Proto | None) -> str:
        for proto in self._protos.values():
            # A root is missing between the one that was named and the file.
            if proto.name.endswith(f"/{name}"):
                return f"there is {proto.path}: give {_without(proto.path, name)} as a schema too"
        for folder in importer.root.parents if importer else ():
            if (folder / name).is_file():
                return f"there is {folder / name}: give {folder} as a schema"
        near = nearest(name, self._neighbours(name, importer))
        return f"did you mean {near}?" if near else "give the folder that its path begins in as a schema too"

    def _neighbours(self, name: str, importer: Proto | None) -> set[str]:
        """What *importer* may have meant by *name*: paths that are known, and what lies where it should."""
        folders = [(root, (root / name).parent) for root in roots_of(self._protos.values())]
        near = {
            file.relative_to(root).as_posix() for root, folder in folders for file in folder.glob("*.proto")
        }
        return {*self._names, *near} - {importer.name if importer else name}

    def _other_type(self, name: str) -> str:
        package, _, last = name.rpartition(".")
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last).lower()
        path = f"{package.replace('.', '/')}/{snake}.proto"
        if is_installed(path) and path in self._names:
            return f'import "{path}"'
        types = self._declared()
        if last in types:
            return f"{types[last]} declares a {last}: import it, and write its package"
        near = nearest(last, (*_SCALARS, *types))
        return f"did you mean {near}?" if near else ""

    def _declared(self) -> Mapping[str, str]:
        """The names of types in the sources, and who declares them."""
        if self._types is None:
            types: dict[str, str] = {}
            for proto in self._protos.values():
                types |= dict.fromkeys(_DECLARED.findall(_text(proto.absolute)), proto.name)
            self._types = types
        return self._types


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _without(path: Path, name: str) -> Path:
    """The folder in which the end *name* of *path* begins."""
    return path.parents[name.count("/")]
