"""The folder of stubs: written where something has changed, and never over a file of somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dynconnect.plugins.stubs import HEADER
from dynconnect.plugins.types import ROOT
from dynconnect.schema.finding import Finding, FindingsError


def write_stubs(stubs: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    """Make *folder* hold *stubs*, text by path, and no other stubs of ours; the paths that were changed.

    Each file is put in its place whole, as an editor may read at any time.

    Raises:
        FindingsError: a file of somebody else's is in the place of one; then nothing is written.
        OSError: the folder can't be written.
    """
    wanted = {folder / path: text for path, text in stubs.items()}
    foreign = [path for path in wanted if path.exists() and not _is_ours(path)]
    if foreign:
        hint = "it was not made by dynconnect: move it, or choose another folder"
        raise FindingsError([Finding(str(path), "is in the place of a stub", hint) for path in foreign])
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.tmp")
        new.write_text(wanted[path], "utf-8")
        new.replace(path)
    return (*changed, *_remove_others(folder / ROOT, wanted))


def _remove_others(root: Path, wanted: Mapping[Path, str]) -> list[Path]:
    """Remove our stubs of packages that the schema has lost, with the folders that are empty then."""
    removed = [path for path in sorted(root.rglob("*.pyi")) if path not in wanted and _is_ours(path)]
    for path in removed:
        path.unlink()
        for parent in path.parents:
            if parent == root.parent or any(parent.iterdir()):
                break
            parent.rmdir()
    return removed


def _is_ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline() == HEADER
