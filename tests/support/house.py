"""The package as its source text shows it: modules, what they import, how long they are.

Nothing is imported or run: what a module would do on a rare path counts like everything else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Function:
    """One function, the code of those inside it not counted."""

    where: str
    code_lines: int


class Module:
    """One file of a package. Its *name* is dotted and begins with the package's."""

    def __init__(self, root: Path, path: Path) -> None:
        parts = (root.name, *path.relative_to(root).with_suffix("").parts)
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)
        self.path = path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)

    @property
    def room(self) -> str:
        """The first part below the package; empty for its front, ``__init__`` and ``__main__``."""
        return self.name.partition(".")[2].partition(".")[0].replace("__main__", "")

    def imports(self) -> Iterator[str]:
        """Every dotted name it may import, in functions and for typing too.

        ``from a import b`` gives ``a.b``: whether that is a module is for the reader to know.
        """
        for node in ast.walk(self.tree):
            match node:
                case ast.Import(names):
                    yield from (alias.name for alias in names)
                case ast.ImportFrom(module, names, level):
                    source = self._absolute(module or "", level)
                    yield from (f"{source}.{alias.name}" for alias in names)
                case ast.Call(
                    ast.Name("__import__") | ast.Attribute(attr="import_module"), [ast.Constant(name)]
                ):
                    yield str(name)

    def _absolute(self, module: str, level: int) -> str:
        if not level:
            return module
        parts = self.name.split(".")
        package = parts[: len(parts) - level + self.is_package]
        return ".".join([*package, *filter(None, [module])])

    def functions(self) -> Iterator[Function]:
        """Its functions and methods, those inside others too, each without the others' lines."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield Function(f"{self.name}.{node.name}", self._code_lines(node))

    def _code_lines(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        inner = {line for child in _functions_in(node) for line in _lines(child)}
        docstring = set(_lines(node.body[0])) if ast.get_docstring(node) is not None else set()
        lines = self.text.splitlines()
        texts = (lines[at - 1].strip() for at in set(_lines(node)) - inner - docstring)
        return sum(1 for text in texts if text and not text.startswith("#"))


def _functions_in(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for child in ast.walk(node):
        if child is not node and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def modules(root: Path) -> dict[str, Module]:
    """The modules of the package in the folder *root*, by name."""
    found = (Module(root, path) for path in sorted(root.rglob("*.py")))
    return {module.name: module for module in found}


def graph(known: Mapping[str, Module]) -> dict[str, set[str]]:
    """Which of the modules *known* each of them imports.

    That a module's packages are imported before it is left out: they come first, whoever asks.
    """
    return {
        name: {found for wanted in module.imports() if (found := _module_of(wanted, known)) and found != name}
        for name, module in known.items()
    }


def _module_of(wanted: str, known: Mapping[str, Module]) -> str | None:
    """The module that *wanted* is, or is a name in."""
    while wanted not in known:
        wanted, dot, _ = wanted.rpartition(".")
        if not dot:
            return None
    return wanted


def cycles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The modules that import each other round about, one sorted list for each knot of them."""
    reached = {name: _reachable(name, edges) for name in edges}
    knots = {frozenset(other for other in reached[name] if name in reached[other]) for name in edges}
    return sorted(sorted(knot) for knot in knots if knot)


def _reachable(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    front = [start]
    while front:
        new = edges[front.pop()] - found
        found |= new
        front += new
    return found
