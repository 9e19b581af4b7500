"""What a plugin author puts on an object, so that it is found.

A marker sets one attribute and returns its object as it is: a marked class can be made and a
marked function called in a test as if there were no server.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar, overload

# Also because `dynconnect.rpc` is both that package and the marker below: a package is put into its
# parent when it is first imported, and a later import would put it over the marker.
from dynconnect.rpc.handler import Handler
from dynconnect.schema.json.options import JsonOptions, parse_options

_ATTRIBUTE = "__dynconnect__"
_SERVICE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_RPC = re.compile(rf"{_SERVICE.pattern}/[A-Za-z_]\w*")

Scope: TypeAlias = Literal["process", "generation"]
"""How long a resource lives: as long as the server, or as what is served between two reloads."""

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Handler)
R = TypeVar("R", bound=Callable[..., Any])  # Any: what a resource is, its author says


@dataclass(frozen=True, slots=True)
class Mark:
    """What a marker says of its object.

    Attributes:
        kind: which marker it was.
        target: the full name of the service, ``service/method`` of the RPC, the scope of the resource, or
            nothing.
        file: the absolute path of the source that holds the marker.
        line: where in it.
        json: how the service is written and read as JSON; None is as the server does it.
        mock: whether methods of the service without a handler may be mocked.
    """

    kind: Literal["service", "rpc", "interceptor", "resource"]
    target: str
    file: str
    line: int
    json: JsonOptions | None = None
    mock: bool = True


def service(full_name: str, *, json: Iterable[str] | None = None, mock: bool = True) -> Callable[[C], C]:
    """Mark a class whose methods are the RPCs of the service *full_name*, ``package.Service``.

    *json* has the names of JSON options, as ``--json`` takes them, in place of the server's. Without *mock*
    the service's methods that have no handler are never mocked.

    Raises:
        TypeError: for anything but the name of a service, on anything but a class.
        ValueError: there is no such option.
    """
    target = _checked(full_name, _SERVICE, '@service("package.Service")')
    options = None if json is None else parse_options([json] if isinstance(json, str) else json)
    file, line = _caller()

    def mark(cls: C) -> C:
        if not isinstance(cls, type):
            raise TypeError(f'@service("{target}") marks classes, and {cls!r} is none; a function takes @rpc')
        return _marked(cls, Mark("service", target, file, line, options, mock))

    return mark


def rpc(name: str) -> Callable[[F], F]:
    """Mark a function that is the handler of one RPC, ``package.Service/Method``.

    Raises:
        TypeError: for anything but the name of an RPC, on anything but a function.
    """
    target = _checked(name, _RPC, '@rpc("package.Service/Method")')
    file, line = _caller()

    def mark(function: F) -> F:
        if isinstance(function, type) or not callable(function):
            raise TypeError(
                f'@rpc("{target}") marks functions, and {function!r} is none; a class takes @service'
            )
        return _marked(function, Mark("rpc", target, file, line))

    return mark


def interceptor(function: F) -> F:
    """Mark a function that takes a `Stream` and returns another, round every RPC.

    The interceptor that is found first is the outermost.

    Raises:
        TypeError: on anything but a function; it takes no arguments of its own.
    """
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"@interceptor marks a function and takes no arguments: got {function!r}")
    return _marked(function, Mark("interceptor", "", *_caller()))


@overload
def resource(function: R, /) -> R: ...


@overload
def resource(*, scope: Scope = "generation") -> Callable[[R], R]: ...


def resource(function: R | None = None, /, *, scope: Scope = "generation") -> R | Callable[[R], R]:
    """Mark a function that sets up what constructors and other resources ask for by its name.

    What it returns is the resource; or what it yields, once, and then what follows the ``yield`` tears
    it down. Written with or without a call: ``@resource``, ``@resource(scope="process")``.

    Raises:
        TypeError: for another scope, on anything but a function.
    """
    if scope not in ("process", "generation"):
        raise TypeError(f'write @resource(scope="process") or @resource(scope="generation"): got {scope!r}')
    file, line = _caller()

    def mark(function: R) -> R:
        if isinstance(function, type) or not callable(function):
            raise TypeError(f"@resource marks functions, and {function!r} is none")
        return _marked(function, Mark("resource", scope, file, line))

    return mark if function is None else mark(function)


def mark_of(value: object) -> Mark | None:
    """The mark that *value* itself carries; the mark of a base class does not count."""
    try:
        # Not vars(): a proxy would answer for the object behind it, or raise without one.
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    mark = attributes.get(_ATTRIBUTE)
    return mark if isinstance(mark, Mark) else None


def _checked(name: object, form: re.Pattern[str], usage: str) -> str:
    if isinstance(name, str) and form.fullmatch(name):
        return name
    got = name.__qualname__ if inspect.isclass(name) or inspect.isfunction(name) else repr(name)
    raise TypeError(f"write {usage}, with the name as the schema has it: got {got}")


def _caller() -> tuple[str, int]:
    """The file and line that used a marker."""
    frame = inspect.currentframe()
    for _ in range(2):
        frame = frame and frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame else ("", 0)


def _marked(value: F, mark: Mark) -> F:
    other = mark_of(value)
    if other is not None:
        raise TypeError(
            f"{value!r} is marked twice: @{other.kind} {other.target} and @{mark.kind} {mark.target}"
        )
    try:
        setattr(value, _ATTRIBUTE, mark)
    except AttributeError:
        raise TypeError(f"@{mark.kind} cannot mark {value!r}: it takes no attributes") from None
    return value
