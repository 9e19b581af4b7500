from __future__ import annotations

import pytest
from support.proto_project import SHOP, plant

from dynconnect.schema.finding import SchemaError
from dynconnect.schema.protos import imports_of, locate, roots_of
from dynconnect.schema.sources import find


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def known(here, *patterns):
    """Import paths by the paths that a user would write."""
    return {proto.path.as_posix(): proto.name for proto in locate(find(patterns))}


ORDER, SERVICE = "shop/v1/order.proto", "shop/v1/shop.proto"
BARE = 'syntax = "proto3";'

CASES = [
    pytest.param(SHOP, ["."], {ORDER: ORDER, SERVICE: SERVICE}, id="a folder is a root"),
    pytest.param(
        SHOP,
        ["shop/v1"],
        {ORDER: "order.proto", SERVICE: "shop.proto"},
        id="a folder is a root whatever is in it",
    ),
    pytest.param(SHOP, [SERVICE], {SERVICE: SERVICE, ORDER: ORDER}, id="imports say where the root is"),
    pytest.param(SHOP, [ORDER], {ORDER: ORDER}, id="a package says where the root is"),
    pytest.param(SHOP, ["shop/*/*.proto"], {ORDER: ORDER, SERVICE: SERVICE}, id="a glob of files"),
    pytest.param({"x/a.proto": BARE}, ["x/a.proto"], {"x/a.proto": "a.proto"}, id="else it is its folder"),
    pytest.param(
        {"x/a/m.proto": BARE, "x/b/m.proto": BARE},
        ["x/**/*.proto"],
        {"x/a/m.proto": "a/m.proto", "x/b/m.proto": "b/m.proto"},
        id="else the folder of the glob",
    ),
    pytest.param(
        {"m.proto": 'import "x/n.proto";', "x/n.proto": BARE},
        ["x/n.proto", "m.proto"],
        {"x/n.proto": "x/n.proto", "m.proto": "m.proto"},
        id="a file that does not say goes with the others",
    ),
    pytest.param(
        {"a.proto": BARE, "vendor/b.proto": BARE},
        [".", "vendor"],
        {"a.proto": "a.proto", "vendor/b.proto": "b.proto"},
        id="a root within a root has its own files",
    ),
    pytest.param(
        {"a/m.proto": 'import public "n.proto";', "a/n.proto": 'import "o.proto";', "a/o.proto": BARE},
        ["a/m.proto"],
        {"a/m.proto": "m.proto", "a/n.proto": "n.proto", "a/o.proto": "o.proto"},
        id="imports of imports",
    ),
    pytest.param(
        {"a/m.proto": 'import "n.proto"; import "gone.proto";', "a/n.proto": 'import "m.proto";'},
        ["a/m.proto"],
        {"a/m.proto": "m.proto", "a/n.proto": "n.proto"},
        id="imports in a circle",
    ),
]


@pytest.mark.parametrize(("files", "patterns", "expected"), CASES)
def test_import_paths_are_what_their_user_expects(here, files, patterns, expected):
    plant(here, files)
    assert known(here, *patterns) == expected


def test_a_path_out_of_the_working_directory_is_known_by_its_root(here, monkeypatch):
    plant(here, {"p/m.proto": 'import "x/n.proto";', "p/x/n.proto": BARE, "w/keep": ""})
    monkeypatch.chdir(here / "w")
    assert known(here, "../p/m.proto") == {
        "../p/m.proto": "m.proto",
        (here / "p/x/n.proto").as_posix(): "x/n.proto",
    }


def test_inner_roots_come_first(here):
    plant(here, {"a.proto": BARE, "x/y/b.proto": BARE, "x/c.proto": BARE})
    assert roots_of(locate(find([".", "x/y", "x"]))) == [here / "x/y", here / "x", here]


def test_two_files_of_one_import_path_are_a_finding_unless_they_are_equal(here):
    plant(here, {"a/m.proto": BARE, "b/m.proto": BARE})
    assert known(here, "a", "b") == {"a/m.proto": "m.proto"}
    plant(here, {"b/m.proto": BARE + "message M {}"})
    with pytest.raises(SchemaError) as caught:
        known(here, "a", "b")
    (finding,) = caught.value.findings
    assert finding.where == "b/m.proto"
    assert "m.proto, and so has a/m.proto, which differs" in finding.what


def test_a_file_that_cannot_be_read_is_left_to_the_compiler(here):
    (here / "m.proto").symlink_to("nowhere")
    assert known(here, ".") == {"m.proto": "m.proto"}


def test_every_kind_of_import_is_found():
    lines = [b'import "a";', b"  import public 'b';", b'import weak "c"; import "no";', b'import option "d";']
    assert imports_of(b"\n".join([*lines, b'// import "e";'])) == ["a", "b", "c", "d"]
