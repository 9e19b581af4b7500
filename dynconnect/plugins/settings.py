"""Settings for plugins: a TOML file with a table for each of them, ``[plugins.orders]`` for ``orders.py``.

Secrets stay outside: ``password = { env = "DB_PASSWORD" }`` is what that environment variable holds, with
``default = "..."`` beside it if the variable may be missing.
Source: TOML 1.0, by the standard library's `tomllib`.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from dynconnect.plugins.places import did_you_mean, shown
from dynconnect.schema.finding import Finding

FILE = "dynconnect.toml"
"""The file in the working directory, if none is named."""

_PLUGINS = "plugins"
_ENV, _DEFAULT = "env", "default"
# What tomllib has no attribute for before Python 3.14.
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*([\w\-.\"' ]+?)\s*=")
_PART = re.compile(r"\"[^\"]*\"|'[^']*'|[^.\s]+")

Table: TypeAlias = Mapping[str, Any]  # Any: the values of TOML


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """What a settings file holds, and what is wrong with it.

    Attributes:
        tables: that of each plugin, by its name; nothing in them can be changed.
        hash: of the file, empty without one.
        where: ``path:line`` of each table.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    hash: str = ""
    where: Mapping[str, str] = field(default_factory=dict)

    def of(self, plugin: str) -> Table:
        """The table of *plugin*; an empty one if the file has none."""
        return self.tables.get(plugin, MappingProxyType({}))

    def unknown(self, plugins: Collection[str]) -> Iterator[Finding]:
        """A finding for each table that is for none of *plugins*."""
        for name in self.tables:
            if name not in plugins:
                hint = did_you_mean(name, plugins) or "a table has the name of a plugin's file or folder"
                yield Finding(self.where[name], f"there is no plugin {name}", hint)


def read_settings(path: str | None, environment: Mapping[str, str]) -> PluginSettings:
    """The settings in the file *path*, or in `FILE` if that is there, with references to *environment*."""
    file = Path(path or FILE)
    if path is None and not file.exists():
        return PluginSettings()
    try:
        content = file.read_bytes()
    except OSError as error:
        return PluginSettings(findings=(Finding(shown(file), f"cannot be read: {error.strerror}"),))
    return _Reading(shown(file), content, environment).settings()


class _Reading:
    """One file, and what is found in it."""

    def __init__(self, file: str, content: bytes, environment: Mapping[str, str]) -> None:
        self._file = file
        self._content = content
        self._environment = environment
        self._findings: list[Finding] = []

    def settings(self) -> PluginSettings:
        tables = self._tables()
        return PluginSettings(
            tables,
            tuple(self._findings),
            hashlib.sha256(self._content).hexdigest(),
            {name: self._place((_PLUGINS, name)) for name in tables},
        )

    def _tables(self) -> dict[str, Table]:
        try:
            document = tomllib.loads(self._content.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            line = _AT_LINE.search(str(error))
            where = f"{self._file}:{line[1]}" if line else self._file
            self._find(where, _AT_LINE.sub("", str(error)), "write it as TOML")
            return {}
        for name in document:
            if name != _PLUGINS:
                hint = did_you_mean(name, [_PLUGINS]) or f"settings are in tables [{_PLUGINS}.<name>]"
                self._find(self._place((name,)), f"there is nothing called {name} here", hint)
        tables = document.get(_PLUGINS, {})
        if not isinstance(tables, dict):
            hint = f"write [{_PLUGINS}.<name>] above the settings of a plugin"
            self._find(self._place((_PLUGINS,)), f"{_PLUGINS} is no table", hint)
            return {}
        return {name: self._table(name, table) for name, table in tables.items()}

    def _table(self, name: str, table: object) -> Table:
        at = (_PLUGINS, name)
        if not isinstance(table, dict):
            self._find(
                self._place(at), f"{name} is no table", f"write [{_PLUGINS}.{name}] above its settings"
            )
            return {}
        return MappingProxyType({key: self._value(value, (*at, key)) for key, value in table.items()})

    def _value(self, value: Any, at: tuple[str, ...]) -> Any:  # Any: the values of TOML
        """*value* without references, and so that nobody can change it."""
        match value:
            case {"env": _}:
                return self._referred(value, at)
            case dict():
                return MappingProxyType({key: self._value(each, (*at, key)) for key, each in value.items()})
            case list():
                return tuple(self._value(each, at) for each in value)
        return value

    def _referred(self, reference: dict[str, Any], at: tuple[str, ...]) -> Any:  # Any: as above
        """What *reference*, a table with ``env``, stands for."""
        name, key = reference[_ENV], ".".join(at[2:])
        form = f'{{ {_ENV} = "NAME", {_DEFAULT} = ... }}'
        if not isinstance(name, str):
            self._find(self._place(at), f"{key}: the name of an environment variable is text", form)
            return None
        for other in reference.keys() - {_ENV, _DEFAULT}:
            hint = did_you_mean(other, [_DEFAULT]) or f"a reference to the environment is {form}"
            self._find(self._place((*at, other)), f"{key}: {_ENV} goes without {other}", hint)
        if name in self._environment:
            return self._environment[name]
        if _DEFAULT in reference:
            return self._value(reference[_DEFAULT], at)
        what = f"{key}: the environment variable {name} is not set"
        hint = did_you_mean(name, self._environment) or f"set it, or write a {_DEFAULT} beside {_ENV}"
        self._find(self._place(at), what, hint)
        return None

    def _place(self, at: tuple[str, ...]) -> str:
        """``path:line`` where the key *at* is most likely written, as `tomllib` does not tell."""
        best, line = 0, 0
        for number, written in _keys(self._content.decode().splitlines()):
            if len(written) > best and at[: len(written)] == written:
                best, line = len(written), number
            elif len(written) > len(at) and written[: len(at)] == at and best < len(at):
                best, line = len(at), number
        return f"{self._file}:{line}" if line else self._file

    def _find(self, where: str, what: str, hint: str) -> None:
        self._findings.append(Finding(where, what, hint))


def _keys(lines: Iterable[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The line of each table and key, with its whole path. A text of several lines may look like more."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(lines, 1):
        if header := _HEADER.fullmatch(line):
            table = _parts(header[1])
            yield number, table
        elif key := _KEY.match(line):
            yield number, (*table, *_parts(key[1]))


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
