"""What is wrong with a document, and where."""

from __future__ import annotations

import json

_SHOWN = 60
_LEVELS = 8


class JsonError(ValueError):
    """A value that does not fit. Who passes it on says where it was, from the inside out."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self._path: list[str] = []

    def within(self, step: str) -> JsonError:
        """This error, in the place *step*: ``.field`` or ``[index]``."""
        self._path.append(step)
        return self

    def __str__(self) -> str:
        if not self._path:
            return self.what
        steps = self._path[::-1]
        more = "…" if len(steps) > _LEVELS else ""
        return f"{''.join(steps[:_LEVELS]).removeprefix('.')}{more}: {self.what}"


def expected(what: str, value: object) -> JsonError:
    """The error of a *value* that is not *what* it should be."""
    return JsonError(f"expected {what}, got {shown(value)}")


def shown(value: object) -> str:
    """*value* as it stood in the document, as far as a person reads."""
    match value:
        case dict():
            return "an object"
        case list():
            return "an array"
        case _:
            text = json.dumps(value, ensure_ascii=False)
            return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
