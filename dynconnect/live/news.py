"""What there is to say of a reload: plain values, which hold nothing of a generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from dynconnect.schema.breaking import Breaking
from dynconnect.schema.finding import Finding


@dataclass(frozen=True, slots=True)
class Swapped:
    """A new generation serves.

    Attributes:
        number: of the new generation.
        edited: the files that were, as a person in the working directory writes them.
        changes: what that changed, each in a few words.
        breaking: what it breaks for callers.
        seconds: from the first sign of the edit to the swap.
    """

    number: int
    edited: tuple[str, ...]
    changes: tuple[str, ...]
    breaking: tuple[Breaking, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Undone:
    """What served before the last reload serves again, until the next edit.

    Attributes:
        number: of the generation that does.
        before: of the one that it is once more; None if there is none, and then nothing has happened.
    """

    number: int
    before: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The old generation goes on serving.

    Attributes:
        serving: its number.
        findings: all that is wrong with the new one.
    """

    serving: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Files were saved that hold what is served already.

    Attributes:
        saved: those files, as a person in the working directory writes them.
    """

    serving: int
    saved: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mended:
    """After an edit that was refused, the files are again what is served."""

    serving: int


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """Files beside plugins were saved that are none; a plugin may read them, which nobody can tell.

    Attributes:
        saved: those files, as above; each is told of once.
    """

    serving: int
    saved: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A new generation waits, as too many old ones still have calls.

    Attributes:
        draining: the numbers of those, oldest first.
    """

    serving: int
    draining: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stale:
    """A call was answered by a generation whose successor was refused.

    Attributes:
        finding: the first reason for that.
    """

    serving: int
    finding: Finding


News: TypeAlias = Swapped | Undone | Refused | Unchanged | Mended | NotLoaded | Held | Stale
