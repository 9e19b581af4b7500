from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dynconnect.plugins.locate import PluginError, find_module, locate, locate_module


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Make empty files, and look from their folder."""
    monkeypatch.chdir(tmp_path)

    def tree(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return tree


FOLDERS = [
    pytest.param(["p/b.py", "p/a.py"], ["a", "b"], id="files in the order of names"),
    pytest.param(
        ["p/a.py", "p/_b.py", "p/.c.py", "p/.#d.py", "p/e.txt", "p/f.pyc"],
        ["a"],
        id="hidden and other files are left out",
    ),
    pytest.param(
        ["p/a.py", "p/_x/b.py", "p/.git/c.py", "p/__pycache__/d.py"], ["a"], id="hidden folders are left out"
    ),
    pytest.param(["p/b/x.py", "p/a.py", "p/c.py"], ["a", "b.x", "c"], id="folders in their place"),
    pytest.param(
        ["p/b/__init__.py", "p/b/z.py", "p/b/a.py"], ["b", "b.a", "b.z"], id="a package begins with itself"
    ),
    pytest.param(["p/my-plugin.py"], ["my-plugin"], id="a name that cannot be imported plainly"),
    pytest.param(["p/b/empty.txt", "p/a.py"], ["a"], id="a folder without Python"),
]


@pytest.mark.parametrize(("files", "expected"), FOLDERS)
def test_a_folder_is_every_plugin_file_below_it(tree, files, expected):
    root = tree(*files)
    located = locate("p")
    assert [name for name, _ in located.modules] == expected
    assert (located.where, located.folder, located.only) == ("p", root / "p", None)


def test_a_folder_that_is_a_package_is_seen_from_above(tree):
    root = tree("shop/__init__.py", "shop/orders/__init__.py", "shop/orders/get.py")
    located = locate("shop/orders")
    assert located.folder == root
    assert [name for name, _ in located.modules] == ["shop.orders", "shop.orders.get"]


def test_a_file_is_seen_from_the_first_folder_that_is_no_package(tree):
    root = tree("p/a.py", "q/__init__.py", "q/b.py")
    assert locate("p/a.py").modules == (("a", root / "p" / "a.py"),)
    assert locate("q/b.py").modules == (("q.b", root / "q" / "b.py"),)
    assert locate("q/b.py").folder == root


def test_links_that_go_in_circles_come_to_an_end(tree):
    root = tree("p/a.py", "p/sub/b.py")
    (root / "p" / "sub" / "up").symlink_to(root / "p", target_is_directory=True)
    assert [name for name, _ in locate("p").modules] == ["a", "sub.b"]


def test_linked_files_are_plugins_as_a_mounted_config_map_has_them(tree):
    root = tree("p/..2024/a.py")
    (root / "p" / "..data").symlink_to("..2024")
    (root / "p" / "a.py").symlink_to("..data/a.py")
    assert [name for name, _ in locate("p").modules] == ["a"]


def test_a_dotted_name_in_the_working_directory_needs_no_python_path(tree):
    root = tree("shop/__init__.py", "shop/handlers.py", "loose.py")
    assert locate("shop.handlers").modules == (("shop.handlers", root / "shop" / "handlers.py"),)
    assert locate("loose").folder == root
    assert locate("loose").only is None


def test_a_dotted_name_may_lead_through_folders_that_are_no_packages(tree):
    root = tree("p/q/a.py", "p/q/b.py")
    assert locate("p.q.a").modules == (("p.q.a", root / "p" / "q" / "a.py"),)
    assert [name for name, _ in locate("p.q").modules] == ["a", "b"]


def test_an_installed_package_comes_before_a_folder_that_happens_to_have_its_name(tree):
    tree("pytest/notes.txt")
    assert locate_module("pytest").only == "pytest"


def test_a_module_without_a_spec_is_not_there(tree, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    with pytest.raises(PluginError, match="__main__: there is no such file"):
        locate("__main__")


def test_of_an_installed_package_only_the_package_itself_is_ours(tree, monkeypatch):
    root = tree("site/acme/__init__.py", "site/acme/plugin.py", "site/other.py")
    monkeypatch.setattr(sys, "path", [*sys.path, str(root / "site")])
    located = locate_module("acme.plugin", "entry point acme = acme.plugin")
    assert (located.folder, located.only) == (root / "site", "acme")
    assert located.modules == (("acme.plugin", root / "site" / "acme" / "plugin.py"),)


def test_a_folder_comes_before_a_module_of_the_same_name(tree):
    tree("json/a.py")
    assert [name for name, _ in locate("json").modules] == ["a"]


REFUSALS = [
    pytest.param(
        "p/ordrs.py",
        "p/ordrs.py: there is no such file or folder; did you mean p/orders.py?",
        id="a misspelt file",
    ),
    pytest.param(
        "plugns/", "plugns: there is no such file or folder; did you mean plugins?", id="a misspelt folder"
    ),
    pytest.param(
        "q/a.py", "q/a.py: there is no such file or folder; there is no folder q either", id="nothing near"
    ),
    pytest.param("p/zzzzzz.py", "p/zzzzzz.py: there is no such file or folder", id="nothing alike"),
    pytest.param(
        "notes.txt", "notes.txt: this is not a Python file; a plugin is a .py file", id="not Python"
    ),
    pytest.param("empty", "empty: there is no plugin in this folder; a plugin is", id="an empty folder"),
    pytest.param(
        "hidden",
        "hidden: there is no plugin in this folder; files that begin with _ or .",
        id="only hidden files",
    ),
    pytest.param(
        "p.ordrs",
        "p.ordrs: there is no module ordrs in it; did you mean orders?",
        id="a misspelt module of a folder",
    ),
    pytest.param(
        "shop.ordrs",
        "shop.ordrs: there is no module ordrs in it; did you mean orders?",
        id="a misspelt module",
    ),
    pytest.param("shop.orders.x", "shop.orders.x: there is no module x in it", id="below a plain module"),
    pytest.param(
        "shp.orders",
        "shp.orders: there is no such file, folder or module; did you mean shop?",
        id="a misspelt package",
    ),
    pytest.param("sys", "sys: sys has no Python source; give the path", id="a built-in module"),
    pytest.param(
        "a.b.py", "a.b.py: a module's name has no dot in it; rename the file", id="a dot in a file's name"
    ),
    pytest.param("dots", "x.old.py: a module's name has no dot in it; rename the file", id="one in a folder"),
]


@pytest.mark.parametrize(("path", "expected"), REFUSALS)
def test_what_is_no_plugin_is_named_with_what_is_near(tree, path, expected):
    tree(
        "p/orders.py",
        "notes.txt",
        "hidden/_a.py",
        "empty/b.txt",
        "shop/__init__.py",
        "shop/orders.py",
        "a.b.py",
        "dots/x.old.py",
        "plugins/z.py",
    )
    with pytest.raises(PluginError) as caught:
        locate(path)
    assert expected in str(caught.value)


def test_a_module_is_found_before_a_folder_of_its_name(tree):
    root = tree("a/x/y.py", "b/x.py", "c/x/__init__.py")
    assert find_module([root / "a", root / "b"], "x") == root / "b" / "x.py"
    assert find_module([root / "c"], "x") == root / "c" / "x" / "__init__.py"
    assert find_module([root / "a"], "x") == root / "a" / "x"
    assert find_module([root], "nothing") is None


def test_a_folder_that_may_not_be_read_is_a_finding(tree, monkeypatch):
    tree("p/a.py")

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(PluginError, match="p: cannot be read: Permission denied"):
        locate("p")
