"""How large things may get. A budget that hurts is raised in the design first, with its reason."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support import house

PACKAGE = Path(__file__).parents[1] / "dynconnect"

EXPLORER = PACKAGE / "server/console/explorer"

FILE_LINES = 400
LINE_LENGTH = 110
FUNCTION_LINES = 40
MEAN_FUNCTION_LINES = 8
PUBLIC_NAMES = 16


def public_names(module):
    """The names that *module* itself makes public: its ``__all__``, or those without an underscore."""
    names = set()
    for node in module.tree.body:
        match node:
            case ast.ImportFrom("__future__"):
                pass
            case ast.Import(aliases) | ast.ImportFrom(names=aliases):
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in aliases}
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                names.add(name)
            case ast.Assign([ast.Name("__all__")], value) | ast.AnnAssign(ast.Name("__all__"), value=value):
                return set(ast.literal_eval(value))
            case ast.Assign(targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(ast.Name(name)):
                names.add(name)
    return {name for name in names if not name.startswith("_")}


@pytest.fixture(scope="module")
def known():
    found = house.modules(PACKAGE)
    assert len(found) > 20, f"only {len(found)} modules in {PACKAGE}: the budgets would hold for nothing"
    return found


@pytest.fixture(scope="module")
def functions(known):
    found = [function for module in known.values() for function in module.functions()]
    assert len(found) > 100
    return found


def test_no_file_is_longer_than_its_budget(known):
    sizes = {name: len(module.text.splitlines()) for name, module in known.items()}
    assert {name: size for name, size in sizes.items() if size > FILE_LINES} == {}


def test_no_function_is_longer_than_its_budget(functions):
    assert [function for function in functions if function.code_lines > FUNCTION_LINES] == []


def test_functions_are_short_in_the_mean(functions):
    mean = sum(function.code_lines for function in functions) / len(functions)
    assert mean <= MEAN_FUNCTION_LINES


def test_the_front_shows_few_names(known):
    assert len(public_names(known["dynconnect"])) <= PUBLIC_NAMES


def test_the_files_of_the_explorer_hold_one_idea_each():
    files = [file for file in EXPLORER.iterdir() if file.suffix in (".js", ".css", ".html")]
    assert len(files) > 10, f"only {len(files)} files in {EXPLORER}: the check would see nothing"
    long = [file.name for file in files if len(file.read_text().splitlines()) > FILE_LINES]
    wide = [file.name for file in files if max(map(len, file.read_text().splitlines())) > LINE_LENGTH]
    assert (long, wide) == ([], [])


def test_there_are_no_import_cycles(known):
    assert house.cycles(house.graph(known)) == []


SOURCE = '''
async def outer(a,
                b):
    """A docstring
    of two lines."""

    # a comment
    def inner():
        return 1

    return inner


class C:
    def method(self): return 2
'''


def planted(tmp_path, text):
    root = tmp_path / "planted"
    root.mkdir()
    (root / "__init__.py").write_text(text)
    return house.modules(root)["planted"]


def test_only_lines_of_code_count_and_each_for_one_function(tmp_path):
    found = {function.where: function.code_lines for function in planted(tmp_path, SOURCE).functions()}
    assert found == {"planted.outer": 3, "planted.inner": 2, "planted.method": 1}


NAMES = [
    pytest.param("from __future__ import annotations", set(), id="a future is no name"),
    pytest.param("import a.b\nfrom c import d as e, _f", {"a", "e"}, id="imports"),
    pytest.param("x = y = 1\n_z = 2\nn: int = 3", {"x", "y", "n"}, id="assignments"),
    pytest.param("def f(): ...\nasync def g(): ...\nclass H: ...", {"f", "g", "H"}, id="definitions"),
    pytest.param(
        "__all__ = ['lazy', 'f']\ndef __getattr__(name): ...", {"lazy", "f"}, id="names made on demand"
    ),
]


@pytest.mark.parametrize(("text", "expected"), NAMES)
def test_public_names_are_counted_however_they_come(tmp_path, text, expected):
    assert public_names(planted(tmp_path, text)) == expected
