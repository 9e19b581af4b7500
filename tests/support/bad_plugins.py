"""Tables of plugins that are wrong, as text: what stands where, and what must be said of it.

=== the name of the case
--- helper.py               the file that follows; `a.py` if none is named
import nothing
#! No module named          what the finding at the line above must contain
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dynconnect.schema.finding import Finding


@dataclass
class Case:
    """One wrong plugin.

    Attributes:
        files: their text by name, without the marks.
        where: the file and the number of the line that is wrong.
        message: a part of what must be said there.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    where: tuple[str, int] = ("", 0)
    message: str = ""

    def write(self, folder: Path, head: str = "") -> None:
        """Write its files into *folder*, each after *head*."""
        self.where = (self.where[0], self.where[1] + head.count("\n"))
        for name, lines in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(head + "\n".join(lines))

    def check(self, finding: Finding) -> None:
        """Assert that *finding* is the one that is due, in the folder `plugins`."""
        assert finding.where == f"plugins/{self.where[0]}:{self.where[1]}"
        assert self.message in str(finding)


def cases(table: Path) -> list[object]:
    """The cases in the file *table*, as parameters of a test."""
    found = []
    for block in table.read_text().split("=== ")[1:]:
        title, *lines = block.rstrip("\n").split("\n")
        found.append(pytest.param(_case(lines), id=title))
    return found


def _case(lines: list[str]) -> Case:
    case, name = Case(), "a.py"
    for line in lines:
        if line.startswith("--- "):
            name = line[4:]
            case.files[name] = []
        elif line.startswith("#! "):
            case.where, case.message = (name, len(case.files[name])), line[3:]
        else:
            case.files.setdefault(name, []).append(line)
    return case
