"""What the supervisor and a worker say to each other, pickled, over a pipe of theirs alone.

A generation is changed in two steps, at the start too: all workers build it aside (`Prepare`), and only
once all have the same content does each of them serve it (`Commit`). Else all let go of it (`Abort`).
To stop, a worker gets SIGTERM; if its supervisor dies, the end of the pipe says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from dynconnect.live.comparison import Comparison
from dynconnect.schema.finding import Finding


@dataclass(frozen=True, slots=True)
class Prepare:
    """Build the generation *number* aside: `Prepared` or `Refused` is the answer."""

    number: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Serve what was prepared: `Serving` is the answer."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Let go of what was prepared, if anything was."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell people what is served."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A generation is built, of the content that *hash* stands for; how it compares with what serves."""

    hash: str
    comparison: Comparison = field(default_factory=Comparison)


@dataclass(frozen=True, slots=True)
class Refused:
    """No generation can be built."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Serving:
    """The prepared generation serves, and connections are accepted."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """No answer: the worker was told to stop, and accepts no connections any more."""


Order: TypeAlias = Prepare | Commit | Abort | Announce
Answer: TypeAlias = Prepared | Refused | Serving
