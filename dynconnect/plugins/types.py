"""``from dynconnect_types.shop.v1 import Order``: message types of the live schema, without a file.

A name imported from there is a *handle*, not a class. Calling it builds the class of the schema that
the running call uses, or of the newest one outside a call, so a handle never keeps an old
generation alive nor mixes two. A name that the schema does not have is an ImportError, which
refuses the plugin that asks for it.
"""

from __future__ import annotations

import importlib.abc
import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from google.protobuf.descriptor import EnumDescriptor, FileDescriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from dynconnect.schema.finding import nearest
from dynconnect.schema.schema import Schema

ROOT = "dynconnect_types"

# Weak, as a background task keeps the context of the call that began it, and must not keep its schema.
_running: ContextVar[weakref.ref[Schema] | None] = ContextVar("dynconnect_schema", default=None)
_newest: list[weakref.ref[Schema]] = []


def enter(schema: Schema) -> None:
    """Make *schema* that of the current context: what begins a call does so in the call's own task."""
    _running.set(weakref.ref(schema))


def leave() -> None:
    """Undo `enter`."""
    _running.set(None)


@contextmanager
def running(schema: Schema | None) -> Iterator[None]:
    """Within it, handles are those of *schema*, or of the newest one for None."""
    token = _running.set(None if schema is None else weakref.ref(schema))
    try:
        yield
    finally:
        _running.reset(token)


def set_newest(schema: Schema) -> None:
    """Make *schema* the one that code outside any call uses."""
    _newest[:] = [weakref.ref(schema)]


def check_package(module: str) -> None:
    """Refuse the import of *module* if the current schema has no such package, even if an older one had.

    Raises:
        ModuleNotFoundError: with the nearest package.
    """
    schema = _schema()
    if schema is None:
        text = (
            f"{module} is there while dynconnect has a schema loaded; use dynconnect.plugins.types.running()"
        )
        raise ModuleNotFoundError(text, name=module)
    packages = _packages(schema)
    package = module[len(ROOT) + 1 :]
    if package not in packages:
        close = nearest(package, packages - {""})
        hint = f": did you mean {ROOT}.{close}?" if close else ""
        raise ModuleNotFoundError(f"the schema has no package {package}{hint}", name=module)


class MessageHandle(type):
    """The type of message handles: classes, so that annotations, ``isinstance`` and ``match`` take them."""

    __full_name__: str

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> MessageHandle:
        """Refuse subclasses: messages have none."""
        if bases:
            raise TypeError(f"messages cannot be subclassed: class {name}({bases[0].__name__})")
        return super().__new__(cls, name, bases, namespace)

    # Any: message classes are made at run time.
    def __call__(cls, *args: Any, **fields: Any) -> Any:
        """A message of the running call's schema."""
        return _message_class(cls.__full_name__)(*args, **fields)

    def __instancecheck__(cls, value: object) -> bool:
        return cls.__subclasscheck__(type(value))

    def __subclasscheck__(cls, other: type) -> bool:
        descriptor = getattr(other, "DESCRIPTOR", None)
        return other is cls or getattr(descriptor, "full_name", None) == cls.__full_name__

    def __getattr__(cls, name: str) -> Any:
        """A nested type as a handle; anything else as the class itself has it."""
        if name.startswith("__"):
            raise AttributeError(name)
        message_class = _message_class(cls.__full_name__)
        descriptor = message_class.DESCRIPTOR
        if name in descriptor.nested_types_by_name:
            return _handle(MessageHandle, cls.__module__, f"{cls.__full_name__}.{name}")
        if name in descriptor.enum_types_by_name:
            return _handle(EnumHandle, cls.__module__, f"{cls.__full_name__}.{name}")
        try:
            return getattr(message_class, name)
        except AttributeError:
            inner = (
                *descriptor.nested_types_by_name,
                *descriptor.enum_types_by_name,
                *descriptor.enum_values_by_name,
            )
            close = nearest(name, inner)
            hint = f": did you mean {close}?" if close else ""
            raise AttributeError(f"the message {cls.__full_name__} has no {name}{hint}") from None

    def __repr__(cls) -> str:
        return f"<message {cls.__full_name__}>"


class EnumHandle(type):
    """The type of enum handles: ``Kind.NEW``, and what protobuf's enums have (``Value``)."""

    __full_name__: str

    def __call__(cls, *args: object, **_: object) -> NoReturn:
        """Enums are numbers and have no instances of their own."""
        raise TypeError(f"write {cls.__name__}.NAME or {cls.__name__}.Value(name), not {cls.__name__}{args}")

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def __getattr__(cls, name: str) -> Any:  # Any: a number or a method of protobuf's
        if name.startswith("__"):
            raise AttributeError(name)
        descriptor = _enum(cls.__full_name__)
        try:
            return getattr(EnumTypeWrapper(descriptor), name)
        except AttributeError:
            close = nearest(name, descriptor.values_by_name)
            hint = f": did you mean {close}?" if close else ""
            raise AttributeError(f"the enum {cls.__full_name__} has no value {name}{hint}") from None

    def __repr__(cls) -> str:
        return f"<enum {cls.__full_name__}>"


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module for each package of the schema; it holds nothing, so it can be cached for good."""

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

    def exec_module(self, module: ModuleType) -> None:
        package = module.__name__[len(ROOT) + 1 :]
        vars(module)["__getattr__"] = lambda name: _member(package, name)
        vars(module)["__dir__"] = lambda: sorted(_names(package))


def _member(package: str, name: str) -> Any:  # Any: a handle, a module, or the number of an enum value
    """What *name* is in the module of *package*.

    Raises:
        ImportError: with the nearest name, or the package that has it.
    """
    if name == "__all__":
        return sorted(_names(package))
    # Names of Python's own are asked for by tools, which expect the ordinary answer.
    if name.startswith("__"):
        raise AttributeError(name)
    full_name = f"{package}.{name}" if package else name
    module = f"{ROOT}.{package}" if package else ROOT
    for file in _files(package):
        if name in file.message_types_by_name:
            return _handle(MessageHandle, module, full_name)
        if name in file.enum_types_by_name:
            return _handle(EnumHandle, module, full_name)
        for enum in file.enum_types_by_name.values():
            if name in enum.values_by_name:
                return enum.values_by_name[name].number
    schema = _schema()
    if schema is not None and full_name in _packages(schema):
        return importlib.import_module(f"{ROOT}.{full_name}")
    raise ImportError(f"the schema has no {full_name}{_did_you_mean(package, name)}", name=module)


def _did_you_mean(package: str, name: str) -> str:
    close = nearest(name, _names(package))
    if close:
        return f": did you mean {close}?"
    schema = _schema()
    elsewhere = [other for other in sorted(_packages(schema)) if name in _names(other)] if schema else []
    return f": it is in {ROOT}.{elsewhere[0]}" if elsewhere else ""


def _handle(kind: type, module: str, full_name: str) -> Any:  # Any: a class made by *kind*
    name = full_name.rpartition(".")[2]
    return kind(name, (), {"__full_name__": full_name, "__module__": module, "__slots__": ()})


def _schema() -> Schema | None:
    """The schema of the running call, else the newest."""
    for reference in (_running.get(), *_newest):
        schema = reference() if reference is not None else None
        if schema is not None:
            return schema
    return None


def _message_class(full_name: str) -> Any:  # Any: a message class made at run time
    reference = _running.get()
    schema = (reference and reference()) or _schema()
    if schema is None:
        raise LookupError(f"no schema is loaded to make {full_name}; use dynconnect.plugins.types.running()")
    return schema.message_class(full_name)


def _enum(full_name: str) -> EnumDescriptor:
    schema = _schema()
    if schema is None:
        raise LookupError(
            f"no schema is loaded to look up {full_name}; use dynconnect.plugins.types.running()"
        )
    return schema.pool.FindEnumTypeByName(full_name)


def _packages(schema: Schema) -> set[str]:
    """Every package of *schema* and every prefix of one, the root as an empty string."""
    found = {""}
    for path in schema.files:
        parts = schema.pool.FindFileByName(path).package.split(".")
        found |= {".".join(parts[: at + 1]) for at in range(len(parts))}
    return found


def _files(package: str) -> list[FileDescriptor]:
    schema = _schema()
    if schema is None:
        return []
    files = map(schema.pool.FindFileByName, schema.files)
    return [file for file in files if file.package == package]


def _names(package: str) -> set[str]:
    """The messages, enums and enum values at the top of *package*."""
    found: set[str] = set()
    for file in _files(package):
        found.update(file.message_types_by_name, file.enum_types_by_name)
        for enum in file.enum_types_by_name.values():
            found.update(enum.values_by_name)
    return found


# First, as a folder of stubs with this name would pass for a namespace package.
sys.meta_path.insert(0, _Finder())
