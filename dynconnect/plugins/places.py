"""The words of findings: where something stands, and what may have been meant."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Collection, Iterable
from pathlib import Path
from types import CodeType, TracebackType

from dynconnect.schema.finding import nearest


def did_you_mean(name: str, candidates: Iterable[str], prefix: str = "") -> str:
    """The hint that names the candidate nearest to *name*, after *prefix*; empty if none is near."""
    close = nearest(name, candidates)
    return f"did you mean {prefix}{close}?" if close else ""


def shown(path: str | Path) -> str:
    """*path* as a person in the working directory writes it."""
    path = Path(path)
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def innermost(value: object) -> object:
    """The function that its author wrote, below partials, descriptors and well-behaved decorators."""
    for _ in range(100):  # a bound, as nothing keeps __wrapped__ from going in circles
        inner = getattr(value, "__wrapped__", None)
        if inner is None and isinstance(value, (functools.partial, functools.partialmethod)):
            inner = value.func
        if inner is None and inspect.ismethod(value):
            inner = value.__func__
        if inner is None:
            break
        value = inner
    return value


def place_of(value: object) -> str | None:
    """``path:line`` of the definition of *value*; None if it has no source."""
    code = getattr(innermost(value), "__code__", None)
    # What dataclasses and the like compile is in "<string>".
    if not isinstance(code, CodeType) or code.co_filename.startswith("<"):
        return None
    return f"{shown(code.co_filename)}:{code.co_firstlineno}"


def own_frame(traceback: TracebackType | None, files: Collection[str]) -> tuple[str, int] | None:
    """File and line of the innermost frame of *traceback* that is in one of *files*."""
    found = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename in files:
            found = (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    return found


def last_frame(traceback: TracebackType | None) -> tuple[str, int] | None:
    """File and line where the exception of *traceback* was raised."""
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
