"""``from dynconnect_types.shop.v1 import Order``: the types of the live schema, without a file.

The module of a package has its messages and enums as handles, and the values of its enums as numbers.
What the schema does not have is an ImportError with the nearest name, which refuses the plugin that
asks for it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import sys
import weakref
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeAlias

from dynconnect.plugins.handles import EnumHandle, MessageHandle, current_schema, handle
from dynconnect.plugins.places import did_you_mean
from dynconnect.schema.finding import nearest
from dynconnect.schema.schema import Schema

ROOT = "dynconnect_types"

_Names: TypeAlias = Mapping[str, type[MessageHandle | EnumHandle] | int]


def check_package(module: str) -> None:
    """Refuse to import *module* if the current schema has no such package.

    Raises:
        ModuleNotFoundError: with the nearest package.
    """
    try:
        packages = _packages(current_schema())
    except LookupError as error:
        raise ModuleNotFoundError(f"{module}: {error}", name=module) from None
    package = _package(module)
    if package not in packages:
        hint = did_you_mean(package, filter(None, packages), f"{ROOT}.")
        text = f"the schema has no package {package}"
        raise ModuleNotFoundError(f"{text}: {hint}" if hint else text, name=module)


class _Package(ModuleType):
    """The module of a package. It holds nothing, so it serves every generation."""

    def __getattr__(self, name: str) -> Any:  # Any: as `_member` says
        return _member(_package(self.__name__), name)

    def __setattr__(self, name: str, value: object) -> None:
        # The import system would keep subpackages here, even those that the schema loses.
        if not isinstance(value, ModuleType):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return list(_packages(current_schema()).get(_package(self.__name__), ()))


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module for each package of the current schema."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  the finder's interface
        target: object = None,  # noqa: ARG002  likewise
    ) -> ModuleSpec | None:
        if fullname != ROOT and not fullname.startswith(f"{ROOT}."):
            return None
        check_package(fullname)
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Package(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass  # everything in it is looked up when it is asked for


def _member(package: str, name: str) -> Any:  # Any: a handle, a module or a number
    """What *name* is in the module of *package*.

    Raises:
        ImportError: with the nearest name, or the package that has it.
    """
    # Tools ask every module for names of Python's own and of theirs, and expect the ordinary answer.
    if name.startswith("__") and name != "__all__":
        raise AttributeError(name)
    try:
        packages = _packages(current_schema())
    except LookupError as error:
        raise AttributeError(f"{name}: {error}") from None
    names = packages.get(package, {})
    if name == "__all__":
        return list(names)
    full_name = f"{package}.{name}" if package else name
    if full_name in packages:
        return importlib.import_module(f"{ROOT}.{full_name}")
    module = f"{ROOT}.{package}" if package else ROOT
    if name not in names:
        # Not AttributeError, whose text the import statement would replace by its own.
        raise ImportError(f"the schema has no {full_name}{_hint(packages, package, name)}", name=module)
    kind = names[name]
    return kind if isinstance(kind, int) else handle(kind, module, full_name)


def _hint(packages: Mapping[str, _Names], package: str, name: str) -> str:
    close = nearest(name, packages.get(package, ()))
    elsewhere = [other for other, names in packages.items() if name in names]
    if elsewhere and (close or "").casefold() != name.casefold():
        return f": it is in {ROOT}.{elsewhere[0]}"
    return f": did you mean {close}?" if close else ""


def _package(module: str) -> str:
    return module[len(ROOT) + 1 :]


# Only names in it, nothing of the schema's: what is cached must not keep its key alive.
_indexes: weakref.WeakKeyDictionary[Schema, Mapping[str, _Names]] = weakref.WeakKeyDictionary()


def _packages(schema: Schema) -> Mapping[str, _Names]:
    """The names in each package of *schema*, and in each prefix of one, sorted; made once a schema."""
    packages = _indexes.get(schema)
    if packages is None:
        packages = _indexes[schema] = _index(schema)
    return packages


def _index(schema: Schema) -> Mapping[str, _Names]:
    found: dict[str, dict[str, type[MessageHandle | EnumHandle] | int]] = {"": {}}
    for path in schema.files:
        file = schema.pool.FindFileByName(path)
        parts = file.package.split(".")
        for at in range(len(parts)):
            found.setdefault(".".join(parts[: at + 1]), {})
        names = found[file.package]
        names.update(dict.fromkeys(file.message_types_by_name, MessageHandle))
        for enum in file.enum_types_by_name.values():
            names[enum.name] = EnumHandle
            names.update((value.name, value.number) for value in enum.values)
    return {package: dict(sorted(names.items())) for package, names in sorted(found.items())}


# First, as a folder of stubs with this name would pass for a namespace package.
sys.meta_path.insert(0, _Finder())
