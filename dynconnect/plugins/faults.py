"""What an exception of a plugin is called in a finding.

It stands at the author's own line, not at the library's and not at ours; private module names are
taken out of its text. The whole traceback is in the log at debug level.
"""

from __future__ import annotations

import logging
import pkgutil
import re
import sys
from pathlib import Path

from dynconnect.plugins import types
from dynconnect.plugins.places import did_you_mean, last_frame, own_frame, shown
from dynconnect.plugins.space import Space, public
from dynconnect.schema.finding import Finding

log = logging.getLogger(__name__)

_OURS = Path(__file__).parents[1]
# The exception has no attribute for the name before Python 3.12.
_CANNOT_IMPORT = re.compile(r"cannot import name '(\w+)'")
# What generators for Python call their files: grpcio-tools, connectrpc.
_GENERATED = ("_pb2", "_pb2_grpc", "_connect")


def fault(error: BaseException, space: Space, otherwise: str) -> Finding:
    """The finding for *error*, raised by code in *space*.

    It stands where the innermost frame of a plugin is, or at *otherwise* if there is none.
    """
    files = {str(file) for file in space.sources}
    if isinstance(error, SyntaxError) and (error.filename is None or error.filename in files):
        return syntax_fault(error, otherwise)
    frame = own_frame(error.__traceback__, files)
    where = f"{shown(frame[0])}:{frame[1]}" if frame else otherwise
    text = public(str(error))
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    finding = Finding(where, what, _hint(error, space, frame))
    log.debug("%s", finding, exc_info=error)
    return finding


def syntax_fault(error: SyntaxError | ValueError, otherwise: str) -> Finding:
    """The finding for source that does not compile, with the line that is wrong."""
    if not isinstance(error, SyntaxError):  # null bytes, in the first releases of Python 3.11
        return Finding(otherwise, f"{type(error).__name__}: {error}")
    where = f"{shown(error.filename)}:{error.lineno}" if error.filename and error.lineno else otherwise
    line = (error.text or "").strip()
    what = f"{type(error).__name__}: {error.msg}"
    return Finding(where, f"{what}: `{line}`" if line else what)


def _hint(error: BaseException, space: Space, frame: tuple[str, int] | None) -> str:
    """What to do about *error*, which left the plugin at *frame*; empty where its text says all."""
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == types.ROOT:
        return ""  # it names what is near already
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_module(error.name, space, frame)
    if isinstance(error, ImportError):
        return _missing_name(error, space, frame)
    raised = last_frame(error.__traceback__)
    # A line of a library helps who called it; a line of ours, or the same one again, helps nobody.
    if raised is None or raised == frame or Path(raised[0]).is_relative_to(_OURS):
        return ""
    return f"raised at {shown(raised[0])}:{raised[1]}"


def _missing_module(name: str, space: Space, frame: tuple[str, int] | None) -> str:
    """What may have been meant by the module *name*, which is nowhere."""
    known = public(name)
    last = known.rpartition(".")[2]
    beside = _modules_beside(frame)
    if last in beside:
        return f"inside a package write `from . import {last}`"
    if name.startswith(space.name):
        return did_you_mean(last, beside)
    if last.endswith(_GENERATED):
        return "no generated code is needed: `from dynconnect_types.<package> import <Message>`"
    installed = (module.name for module in pkgutil.iter_modules())
    hint = did_you_mean(known, (*beside, *sys.stdlib_module_names, *installed))
    install = "install it where dynconnect is installed"
    return f"{hint} If not, {install}" if hint else install


def _missing_name(error: ImportError, space: Space, frame: tuple[str, int] | None) -> str:
    """What may have been meant by a name that its module does not have."""
    wanted = _CANNOT_IMPORT.search(str(error))
    module = sys.modules.get(error.name or "")
    if wanted is None or module is None:
        return ""
    name = module.__name__
    if not name.startswith(space.name) and name in _modules_beside(frame):
        return f"this is the installed {name}; for the one beside the plugin write `from . import {name}`"
    # In a folder without __init__.py the only names are those of its modules.
    known = vars(module) if hasattr(module, "__file__") else _modules_beside(frame)
    return did_you_mean(wanted[1], (each for each in known if not each.startswith("__")))


def _modules_beside(frame: tuple[str, int] | None) -> list[str]:
    """The modules in the folder of the file of *frame*, without that file."""
    if frame is None:
        return []
    file = Path(frame[0])
    found = [path.stem for path in file.parent.glob("*.py") if path != file]
    return sorted(found + [path.parent.name for path in file.parent.glob("*/__init__.py")])
