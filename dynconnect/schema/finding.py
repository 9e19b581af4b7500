"""Findings: what is wrong with a schema or a plugin, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, for the person who can mend it.

    Attributes:
        where: a path, ``path:line``, ``path:line:column`` or an import path such as ``shop/v1/shop.proto``.
        what: what is wrong there.
        hint: what to do next, where that is known.
    """

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        return f"{text}; {self.hint}" if self.hint else text


class FindingsError(Exception):
    """Something could not be loaded. Its text is one finding a line, all of them.

    Args:
        findings: at least one, in the order in which a reader should mend them.
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, self.findings)))


class SchemaError(FindingsError):
    """The sources cannot be read or compiled, or do not make one schema."""


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that *name* most likely meant, whatever its case; None if none is close."""
    # Compared in one case: `Say` for `say` is the commonest slip, and difflib would call it far.
    folded = {candidate.casefold(): candidate for candidate in candidates}
    found = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[found[0]] if found else None
