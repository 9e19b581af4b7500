"""Whether two functions do the same, told from what they were compiled to."""

from __future__ import annotations

import hashlib
from types import CodeType

from dynconnect.plugins.places import innermost


def code_hash(function: object) -> bytes:
    """A hash of the code of *function*: the same wherever it stands, and whatever comments are in it.

    What it calls is not looked at. Of an object without code it is that of nothing.
    """
    function = innermost(function)
    code = getattr(function, "__code__", None)
    digest = hashlib.sha256()
    if isinstance(code, CodeType):
        defaults = (getattr(function, "__defaults__", None), getattr(function, "__kwdefaults__", None))
        digest.update(_text(defaults).encode())
        digest.update(_text(code).encode())
    return digest.digest()


def _text(value: object) -> str:
    """*value*, a constant of compiled code, in a form that is the same for the same value."""
    match value:
        case CodeType():
            # Neither names of files nor lines: those of the same code differ.
            parts = (value.co_code, value.co_names, value.co_varnames, value.co_freevars, value.co_consts)
            return f"code({_text(parts)})"
        case tuple():
            return f"({','.join(map(_text, value))})"
        case frozenset():
            return f"{{{','.join(sorted(map(_text, value)))}}}"
        case bool() | int() | float() | complex() | str() | bytes() | None:
            return repr(value)
    return type(value).__qualname__
