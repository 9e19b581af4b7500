from __future__ import annotations

import os

import pytest

from dynconnect.live.inputs import Inputs, Watched


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\n\x04\n\x02a." if path.suffix == ".binpb" else name.encode())


def watched(schema=(), plugins=(), config=None, known=()):
    return Watched(Inputs(tuple(schema), tuple(plugins), config), frozenset(known))


def names(found, root):
    return sorted(str(path.relative_to(root)) for path in found)


FILES = [
    pytest.param({"schema": ["api.binpb"]}, ["api.binpb"], id="a set"),
    pytest.param({"schema": ["sets"]}, ["sets/a.binpb", "sets/in/b.binpb"], id="a folder of sets"),
    pytest.param({"schema": ["sets/*.binpb"]}, ["sets/a.binpb"], id="a glob"),
    pytest.param({"schema": ["sets/**/*.binpb"]}, ["sets/a.binpb", "sets/in/b.binpb"], id="a deep glob"),
    pytest.param(
        {"plugins": ["plugins/one.py"]},
        ["plugins/_helper.py", "plugins/one.py"],
        id="a file and those beside it",
    ),
    pytest.param(
        {"plugins": ["plugins"]},
        ["plugins/_helper.py", "plugins/deep/two.py", "plugins/one.py"],
        id="a folder, helpers included",
    ),
    pytest.param(
        {"plugins": ["package.module"]}, ["package/__init__.py", "package/module.py"], id="a module"
    ),
    pytest.param({"plugins": ["missing.py"], "schema": ["missing.binpb"]}, [], id="nothing there yet"),
]


@pytest.mark.parametrize(("inputs", "expected"), FILES)
def test_contents_are_those_of_every_file_that_may_count(here, inputs, expected):
    write(here, "api.binpb", "sets/a.binpb", "sets/in/b.binpb", "sets/note.txt")
    write(here, "plugins/one.py", "plugins/_helper.py", "plugins/deep/two.py", "plugins/data.json")
    write(
        here,
        "plugins/.hidden/three.py",
        "plugins/__pycache__/x.py",
        "package/__init__.py",
        "package/module.py",
    )
    assert names(watched(**inputs).contents(), here) == expected


def test_known_files_count_wherever_they_are(here):
    write(here, "lib/helper.py")
    assert names(watched(known=[here / "lib/helper.py"]).contents(), here) == ["lib/helper.py"]


def test_contents_differ_when_a_byte_does(here):
    write(here, "plugins/one.py")
    before = watched(plugins=["plugins"]).contents()
    assert watched(plugins=["plugins"]).contents() == before
    (here / "plugins/one.py").write_text("other")
    assert watched(plugins=["plugins"]).contents() != before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_cannot_be_read_is_left_to_the_build(here):
    write(here, "plugins/one.py")
    (here / "plugins/one.py").chmod(0)
    assert watched(plugins=["plugins"]).contents() == {}


FOLDERS = [
    pytest.param({"schema": ["api.binpb"]}, ["."], id="the folder of a file"),
    pytest.param({"schema": ["sets"]}, [".", "sets", "sets/in"], id="a folder, with those round it"),
    pytest.param({"schema": ["sets/*.binpb"]}, [".", "sets", "sets/in"], id="where a glob begins to vary"),
    pytest.param({"plugins": ["plugins/one.py"]}, [".", "plugins"], id="the folder of a plugin"),
    pytest.param(
        {"schema": ["sets/a.binpb"], "config": "conf/x.toml"}, ["conf", "sets"], id="settings that are named"
    ),
    pytest.param({"schema": ["sets/a.binpb"]}, [".", "sets"], id="where settings may be"),
    pytest.param({"plugins": ["missing/deep/one.py"]}, ["."], id="the nearest folder that exists"),
]


@pytest.mark.parametrize(("inputs", "expected"), FOLDERS)
def test_folders_are_those_where_a_change_may_count(here, inputs, expected):
    write(here, "api.binpb", "sets/a.binpb", "sets/in/b.binpb", "plugins/one.py", "plugins/.git/x", "other/y")
    write(here, "conf/x.toml")
    assert names(watched(**inputs).folders(), here) == expected


def test_links_count_on_the_whole_way(here):
    # As Kubernetes mounts a ConfigMap: a link to a link to a folder with the time in its name.
    write(here, "config/..2026/api.binpb")
    (here / "config/..data").symlink_to("..2026")
    (here / "config/api.binpb").symlink_to("..data/api.binpb")
    (here / "current").symlink_to("config")
    found = watched(schema=["current/api.binpb"])
    assert names(found.contents(), here) == ["current/api.binpb"]
    assert {"config", "config/..2026", "."} <= set(names(found.folders(), here))


def test_links_that_lead_in_circles_end(here):
    write(here, "plugins/one.py")
    (here / "plugins/again").symlink_to(".")
    (here / "loop").symlink_to("loop")
    found = watched(plugins=["plugins"], schema=["loop"])
    assert "plugins/one.py" in names(found.contents(), here)
    assert "plugins" in names(found.folders(), here)
