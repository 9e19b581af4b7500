"""What is wrong with a document, and where."""

from __future__ import annotations

import json

_SHOWN = 60
_LEVELS = 8


class JsonError(ValueError):
    """A value that does not fit. Who passes it on says where it was, from the inside out.

    Args:
        what: is wrong.
        member: the name in the object that should not be there, if it is that; *what* names it too.
    """

    def __init__(self, what: str, member: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.member = member
        self.of_name = member is not None
        """Whether it is a name that is wrong, and not the value."""
        self._path: list[str | int] = []
        self._texts: list[str] = []

    def within(self, step: str | int, *, of_map: bool = False) -> JsonError:
        """This error, in the place *step*: a field, an index, or the key of a map."""
        self._path.append(step)
        named = isinstance(step, str) and not of_map
        self._texts.append(f".{step}" if named else f"[{quoted(step) if isinstance(step, str) else step}]")
        return self

    @property
    def steps(self) -> list[str | int]:
        """The way to it, from the outside in."""
        return self._path[::-1] if self.member is None else [*self._path[::-1], self.member]

    def __str__(self) -> str:
        if not self._path:
            return self.what
        texts = self._texts[::-1]
        more = "…" if len(texts) > _LEVELS else ""
        return f"{''.join(texts[:_LEVELS]).removeprefix('.')}{more}: {self.what}"


def expected(what: str, value: object) -> JsonError:
    """The error of a *value* that is not *what* it should be."""
    return JsonError(f"expected {what}, got {shown(value)}")


def quoted(key: str) -> str:
    """*key* in quotes, as far as a person reads."""
    return repr(key if len(key) <= _SHOWN else f"{key[:_SHOWN]}…")


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
