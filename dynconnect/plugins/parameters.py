"""Parameters by whose names a constructor or a resource asks for what it needs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeAlias

from dynconnect.plugins.places import did_you_mean
from dynconnect.schema.finding import Finding

# Any: what is asked for may be anything.
Provide: TypeAlias = Callable[[str, Collection[str]], Mapping[str, Any]]
"""What there is for code of a file that asks for these names; what it has a default for may be missing."""

_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def names_of(function: Callable[..., object]) -> tuple[str, ...]:
    """The names that *function* takes; of a class, those of its constructor without ``self``."""
    return tuple(name for name, parameter in _parameters(function).items() if parameter.kind in _KINDS)


def unprovided(
    function: Callable[..., object], name: str, where: str, provided: Collection[str]
) -> Iterator[Finding]:
    """A finding for each parameter of *function* that would stay without a value."""
    collecting = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for wanted, parameter in _parameters(function).items():
        if parameter.default is parameter.empty and parameter.kind not in collecting:
            if parameter.kind is parameter.POSITIONAL_ONLY:
                hint = "leave out the / behind it: what it asks for is given by name"
                yield Finding(where, f"{name} takes {wanted!r} by position only", hint)
            elif wanted not in provided:
                hint = did_you_mean(wanted, provided) or "give the parameter a default, or write a @resource"
                yield Finding(where, f"{name} needs {wanted!r}, and nothing provides it", hint)


def _parameters(function: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except ValueError:  # made by C code, which tells nothing
        return {}
