"""Handles: names of message types and enums that outlive a schema.

A handle is not a class but stands for one: calling it builds the class of the schema that the
running call uses, or of the newest one outside a call. So what a plugin holds never keeps an old
generation alive, nor mixes two.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from dynconnect.plugins.places import did_you_mean
from dynconnect.schema.schema import Schema

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


def current_schema() -> Schema:
    """The schema of the running call; outside a call, or when a task has outlived it, the newest.

    Raises:
        LookupError: no schema is loaded.
    """
    reference = _running.get()
    schema = None if reference is None else reference()
    if schema is None and _newest:
        schema = _newest[0]()
    if schema is None:
        raise LookupError("no schema is loaded; in a test use dynconnect.plugins.handles.running(schema)")
    return schema


class MessageHandle(type):
    """The type of message handles: classes, so annotations, ``isinstance`` and ``match`` take them."""

    __full_name__: str

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> MessageHandle:
        """Refuse subclasses: messages have none."""
        if bases:
            raise TypeError(f"a message cannot have subclasses: class {name}({bases[0].__name__})")
        return super().__new__(cls, name, bases, namespace)

    # Any, in all of them: message classes are made at run time.
    def __call__(cls, *args: Any, **fields: Any) -> Any:
        """A message of the current schema."""
        return current_schema().message_class(cls.__full_name__)(*args, **fields)

    def __instancecheck__(cls, value: object) -> bool:
        return cls.__subclasscheck__(type(value))

    def __subclasscheck__(cls, other: type) -> bool:
        # By name: a message of any generation is one.
        return other is cls or _full_name(other) == cls.__full_name__

    def __getattr__(cls, name: str) -> Any:
        """A nested type as a handle; anything else as the class itself has it."""
        if name.startswith("__"):
            raise AttributeError(name)
        message_class = current_schema().message_class(cls.__full_name__)
        descriptor = message_class.DESCRIPTOR
        if name in descriptor.nested_types_by_name:
            return cls._nested(MessageHandle, name)
        if name in descriptor.enum_types_by_name:
            return cls._nested(EnumHandle, name)
        try:
            return getattr(message_class, name)
        except AttributeError:
            types = (*descriptor.nested_types_by_name, *descriptor.enum_types_by_name)
            known = (*types, *descriptor.enum_values_by_name)
            raise _no_attribute(f"the message {cls.__full_name__}", name, known) from None

    def _nested(cls, kind: type[MessageHandle | EnumHandle], name: str) -> Any:
        nested = handle(kind, cls.__module__, f"{cls.__full_name__}.{name}")
        setattr(cls, name, nested)  # found there the next time
        return nested

    def __repr__(cls) -> str:
        return f"<message {cls.__full_name__}>"


class EnumHandle(type):
    """The type of enum handles: ``Kind.NEW``, ``Kind.Value("NEW")`` and what else protobuf's enums have."""

    __full_name__: str

    def __call__(cls, *args: object, **_: object) -> NoReturn:
        """Refuse: enum values are plain numbers."""
        raise TypeError(f"write {cls.__name__}.NAME or {cls.__name__}.Value(name), not {cls.__name__}{args}")

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def __getattr__(cls, name: str) -> Any:  # Any: a number, or a method of protobuf's
        if name.startswith("__"):
            raise AttributeError(name)
        descriptor: EnumDescriptor = current_schema().pool.FindEnumTypeByName(cls.__full_name__)
        known = descriptor.values_by_name
        if name in known:
            return known[name].number
        try:
            return getattr(EnumTypeWrapper(descriptor), name)
        except AttributeError:
            raise _no_attribute(f"the enum {cls.__full_name__}", name, known) from None

    def __repr__(cls) -> str:
        return f"<enum {cls.__full_name__}>"


def handle(kind: type[MessageHandle | EnumHandle], module: str, full_name: str) -> Any:
    """A handle of *kind* for *full_name*. Any: it stands for a class made at run time."""
    name = full_name.rpartition(".")[2]
    return kind(name, (), {"__full_name__": full_name, "__module__": module, "__slots__": ()})


def _full_name(cls: type) -> str | None:
    name: str | None = getattr(getattr(cls, "DESCRIPTOR", None), "full_name", None)
    return name


def _no_attribute(owner: str, name: str, known: Iterable[str]) -> AttributeError:
    hint = did_you_mean(name, known)
    return AttributeError(f"{owner} has no {name}" + (f": {hint}" if hint else ""))
