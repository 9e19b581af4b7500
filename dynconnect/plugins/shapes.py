"""Whether a handler has the shape of its method, told without calling it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from enum import Enum

from dynconnect.plugins.places import innermost
from dynconnect.rpc.context import MethodInfo


class Kind(Enum):
    """What comes back when a function is called."""

    PLAIN = "def"
    COROUTINE = "async def"
    GENERATOR = "def with yield"
    ASYNC_GENERATOR = "async def with yield"

    @property
    def yields(self) -> bool:
        """Whether it answers with a stream."""
        return self in (Kind.GENERATOR, Kind.ASYNC_GENERATOR)

    @property
    def blocks(self) -> bool:
        """Whether it has to run in a thread."""
        return self in (Kind.PLAIN, Kind.GENERATOR)


def kind_of(handler: object) -> Kind:
    """The kind of *handler*, seen through decorators that keep `functools.wraps`.

    A plain wrapper gives back what the function inside it gives back, so the first layer that is
    more than a plain function decides.
    """
    return next((kind for kind in map(_kind, _layers(handler)) if kind is not Kind.PLAIN), Kind.PLAIN)


def shape_faults(method: MethodInfo, handler: object) -> Iterator[tuple[str, str]]:
    """Everything that is wrong with *handler* as the handler of *method*, each with what to do.

    *handler* is what would be called, so without ``self``.
    """
    yield from filter(None, (_kind_fault(method, handler), _arity_fault(method, handler)))


def declaration(method: MethodInfo, name: str, parameters: str = "") -> str:
    """The first line of a handler of *method*, as its author would write it."""
    return f"async def {name}({parameters}{_request(method)}, ctx)"


def _kind_fault(method: MethodInfo, handler: object) -> tuple[str, str] | None:
    kind = kind_of(handler)
    if kind.yields is method.server_streaming:
        return None
    if method.server_streaming:
        what = f"{method.full_name} answers with a stream, so its handler must yield"
        hint = "yield each response instead of returning it"
    else:
        what = f"{method.full_name} answers with one message, but its handler yields"
        hint = "return the response instead of yielding it"
    inner = list(_layers(handler))[-1]
    if _kind(inner).yields is method.server_streaming:
        hint = f"a decorator made it {kind.value}; use one that fits"
    return what, hint


def _arity_fault(method: MethodInfo, handler: object) -> tuple[str, str] | None:
    wanted = f"({_request(method)}, ctx)"
    try:
        signature = inspect.signature(handler)  # type: ignore[arg-type]  # callable, its caller knows
    except ValueError:
        # Built in, without a signature; or a method that has not even a place for self.
        inner = innermost(handler)
        taken = inspect.signature(inner) if inspect.isfunction(inner) else None
    else:
        taken = None if _takes_two(signature) else signature
    if taken is None:
        return None
    return f"{method.full_name} calls its handler with {wanted}, but it takes {taken}", ""


def _takes_two(signature: inspect.Signature) -> bool:
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return True


def _request(method: MethodInfo) -> str:
    return "requests" if method.client_streaming else "request"


def _layers(handler: object) -> Iterator[object]:
    """*handler* and what it wraps, outermost first."""
    for _ in range(100):  # a bound, as nothing keeps __wrapped__ from going in circles
        while isinstance(handler, functools.partial):
            handler = handler.func
        yield handler
        if not hasattr(handler, "__wrapped__"):
            return
        handler = handler.__wrapped__


def _kind(function: object) -> Kind:
    if not (inspect.isroutine(function) or isinstance(function, type)):
        function = getattr(type(function), "__call__", function)  # noqa: B004  an object that is called
    if inspect.isasyncgenfunction(function):
        return Kind.ASYNC_GENERATOR
    if inspect.iscoroutinefunction(function):
        return Kind.COROUTINE
    return Kind.GENERATOR if inspect.isgeneratorfunction(function) else Kind.PLAIN
