"""What an exception of a plugin is called in a finding: the author's own line, not ours."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from dynconnect.plugins.places import last_frame, own_frame, shown
from dynconnect.plugins.space import Space
from dynconnect.schema.finding import Finding, nearest

_CANNOT_IMPORT = re.compile(r"cannot import name '(\w+)'")


def fault(error: BaseException, space: Space, otherwise: str) -> Finding:
    """The finding for *error*, raised by code in *space*.

    It stands where the innermost frame of a plugin is, or at *otherwise* if there is none.
    """
    files = {str(file) for file in space.sources}
    if isinstance(error, SyntaxError) and (error.filename is None or error.filename in files):
        return syntax_fault(error, otherwise)
    frame = own_frame(error.__traceback__, files)
    where = f"{shown(frame[0])}:{frame[1]}" if frame else otherwise
    text = space.public(str(error))
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return Finding(where, what, _hint(error, space, frame))


def syntax_fault(error: SyntaxError | ValueError, otherwise: str) -> Finding:
    """The finding for source that does not compile, with the line that is wrong."""
    if not isinstance(error, SyntaxError):  # null bytes, before Python 3.12
        return Finding(otherwise, f"{type(error).__name__}: {error}")
    where = f"{shown(error.filename)}:{error.lineno}" if error.filename and error.lineno else otherwise
    line = (error.text or "").strip()
    what = f"{type(error).__name__}: {error.msg}"
    return Finding(where, f"{what}: `{line}`" if line else what)


def _hint(error: BaseException, space: Space, frame: tuple[str, int] | None) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_module(error.name, space, frame)
    if isinstance(error, ImportError):
        return _missing_name(error, space, frame)
    raised = last_frame(error.__traceback__)
    return f"raised at {shown(raised[0])}:{raised[1]}" if raised and raised != frame else ""


def _missing_module(name: str, space: Space, frame: tuple[str, int] | None) -> str:
    public = space.public(name)
    last = public.rpartition(".")[2]
    beside = _modules_beside(frame)
    if last in beside:
        return f"inside a package write `from . import {last}`"
    if name.startswith(space.name):
        close = nearest(last, beside)
        return f"did you mean {close}?" if close else ""
    close = nearest(public, (*beside, *sys.stdlib_module_names, *sys.modules))
    if close and close.casefold() != public.casefold():
        return f"did you mean {close}? If not, install it where dynconnect is installed"
    return "install it where dynconnect is installed"


def _missing_name(error: ImportError, space: Space, frame: tuple[str, int] | None) -> str:
    wanted = _CANNOT_IMPORT.search(str(error))
    module = sys.modules.get(error.name or "")
    if wanted is None or module is None or module.__name__.startswith("dynconnect_types"):
        return ""
    name = module.__name__
    if not name.startswith(space.name) and name in _modules_beside(frame):
        return f"this is the installed {name}; for the one beside the plugin write `from . import {name}`"
    close = nearest(wanted[1], [name for name in vars(module) if not name.startswith("__")])
    return f"did you mean {close}?" if close else ""


def _modules_beside(frame: tuple[str, int] | None) -> list[str]:
    """The modules in the folder of the importing file, but not that file."""
    if frame is None:
        return []
    file = Path(frame[0])
    found = [path.stem for path in file.parent.glob("*.py") if path != file]
    return sorted(found + [path.parent.name for path in file.parent.glob("*/__init__.py")])
