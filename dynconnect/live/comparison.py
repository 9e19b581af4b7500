"""Two generations side by side: what the new one changes, and what that breaks for callers."""

from __future__ import annotations

from dataclasses import dataclass

from dynconnect.live.changes import describe
from dynconnect.live.generation import Generation
from dynconnect.schema.breaking import Breaking, Level, breaking
from dynconnect.schema.finding import Finding

_HINT = "reserve what you remove, and add what is new under new numbers and names"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs, in values that hold nothing of either generation.

    Attributes:
        changes: each in a few words.
        breaking: what they break.
    """

    changes: tuple[str, ...] = ()
    breaking: tuple[Breaking, ...] = ()

    def refusal(self) -> tuple[Finding, ...]:
        """What is said of an edit that is refused for what it breaks; the source alone does not count."""
        return tuple(
            Finding(one.where, f"{one.element} {one.what} (breaks {one.level.value})", _HINT)
            for one in self.breaking
            if one.level is not Level.SOURCE
        )


def compare(old: Generation, new: Generation) -> Comparison:
    """What differs between *old* and *new*. It takes its time for large schemas."""
    return Comparison(describe(old, new), breaking(old.schema, new.schema))
