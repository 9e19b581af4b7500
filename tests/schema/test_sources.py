from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest
from support.descriptors import a_file, a_set

from dynconnect.schema import sources
from dynconnect.schema.finding import SchemaError
from dynconnect.schema.sources import base_of, find, is_ignored, read

ONE = a_set(a_file("one.proto"))
TWO = a_set(a_file("two.proto"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plant(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(paths):
    return [path.as_posix() for path in paths]


def expand(patterns):
    return [file.path for file in find(patterns)]


def only_finding(call, *args):
    with pytest.raises(SchemaError) as caught:
        call(*args)
    (finding,) = caught.value.findings
    return finding


# What is read


def test_a_set_is_read_with_its_path_and_its_original_files(here):
    plant(here, {"api.binpb": ONE})
    source = read(here / "api.binpb")
    assert source.path == str(here / "api.binpb")
    assert source.files == (a_file("one.proto").SerializeToString(),)


def test_a_gzip_set_is_recognised_by_its_content(here):
    plant(here, {"api": gzip.compress(ONE), "not.gz": ONE})
    assert read(here / "api").files == read(here / "not.gz").files


def test_gzip_in_several_members_is_one_set(here):
    plant(here, {"api.gz": gzip.compress(ONE) + gzip.compress(TWO)})
    assert len(read(here / "api.gz").files) == 2


def test_a_pipe_is_read_once(here):
    path = here / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[gzip.compress(ONE)])
    writer.start()
    assert [file.name for file in expand([str(path)])] == ["pipe"]
    assert len(read(path).files) == 1
    writer.join()


BROKEN = [
    pytest.param(ONE[:-2], "is truncated", "again", id="truncated set"),
    pytest.param(gzip.compress(ONE)[:-9], "is truncated: its gzip data", "again", id="truncated gzip"),
    pytest.param(gzip.compress(ONE[:-2]), "is truncated", "again", id="gzip of a truncated set"),
    pytest.param(b"\x1f\x8b\x07" + bytes(20), "is damaged gzip", "again", id="damaged gzip head"),
    pytest.param(gzip.compress(ONE) + b"junk", "is damaged gzip", "again", id="junk after gzip"),
    pytest.param(
        b"\x1f\x8b\x08\x00\0\0\0\0\0\xff\xff\xff\xff", "is damaged gzip", "again", id="damaged deflate"
    ),
    pytest.param(b"", "is empty", "again", id="empty"),
    pytest.param(b'{"file": []}', "is JSON", "buf build -o api.binpb", id="JSON image"),
    pytest.param(b'syntax = "proto3";', "is .proto source", "end in .proto", id="proto source"),
    pytest.param(b"\x7fELF\x02", "is not a descriptor set", "buf build", id="something else"),
]


@pytest.mark.parametrize(("content", "what", "hint"), BROKEN)
def test_what_cannot_be_read_is_one_finding_that_names_the_file(here, content, what, hint):
    plant(here, {"api.binpb": content})
    finding = only_finding(read, here / "api.binpb")
    assert finding.where == str(here / "api.binpb")
    assert what in finding.what
    assert hint in finding.hint


def test_a_file_that_is_gone_is_a_finding(here):
    finding = only_finding(read, here / "gone.binpb")
    assert finding.what == "cannot be read: No such file or directory"


def test_a_folder_is_not_read_as_a_file(here):
    assert only_finding(read, here).what == "cannot be read: Is a directory"


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_source_above_the_limit_is_refused(here, monkeypatch, compress):
    monkeypatch.setattr(sources, "SOURCE_MAX_BYTES", 1 << 20)
    plant(here, {"bomb.binpb": compress(bytes(1 << 21))})
    assert only_finding(read, here / "bomb.binpb").what == "is larger than 1 MiB"


def test_a_gzip_bomb_is_not_unpacked_beyond_the_limit(here, monkeypatch):
    asked = []
    monkeypatch.setattr(sources, "SOURCE_MAX_BYTES", 1000)
    original = gzip.GzipFile.read

    def spy(self, size=-1):
        asked.append(size)
        return original(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", spy)
    plant(here, {"bomb.binpb": gzip.compress(bytes(100_000))})
    only_finding(read, here / "bomb.binpb")
    assert asked == [1001]


# What is found


def test_files_come_in_the_order_they_are_named(here):
    plant(here, {"b.binpb": ONE, "a.binpb": TWO})
    assert names(expand(["b.binpb", "a.binpb"])) == ["b.binpb", "a.binpb"]


def test_each_file_comes_once(here):
    plant(here, {"sets/a.binpb": ONE})
    assert names(expand(["sets/a.binpb", "./sets/*.binpb", "sets"])) == ["sets/a.binpb"]


def test_a_named_file_is_taken_whatever_it_is(here):
    plant(here, {".hidden~": b"text"})
    assert names(expand([".hidden~"])) == [".hidden~"]


def test_a_folder_gives_every_set_below_it_by_content_and_every_source_by_name(here):
    plant(
        here,
        {
            "sets/b": ONE,
            "sets/a.image": gzip.compress(TWO),
            "sets/deep/er/c.txt": ONE,
            "sets/README.md": b"# Sets\n",
            "sets/shop.proto": b'syntax = "proto3";',
            "sets/some.gz": gzip.compress(b"text"),
            "sets/odd.gz": b"\x1f\x8b\x08",
        },
    )
    assert names(expand(["sets"])) == [
        "sets/a.image",
        "sets/b",
        "sets/shop.proto",
        "sets/deep/er/c.txt",
    ]


def test_a_folder_gives_what_is_named_like_a_set_so_that_reading_says_what_is_wrong(here):
    broken = [f"x{suffix}" for suffix in (".binpb", ".bin", ".pb", ".DESC", ".protoset", ".fds", ".binpb.gz")]
    plant(here, {f"sets/{name}": b"" for name in broken})
    assert names(expand(["sets"])) == sorted(f"sets/{name}" for name in broken)


def test_a_folder_hides_hidden_files_and_what_editors_leave(here):
    left = [
        "x___jb_tmp___",
        "api.binpb~",
        ".api.binpb.swp",
        "#api.binpb#",
        "api.binpb.tmp",
        "api.binpb.bak",
        ".git/x.binpb",
    ]
    plant(here, {"sets/api.binpb": ONE} | {f"sets/{name}": ONE for name in left})
    assert names(expand(["sets"])) == ["sets/api.binpb"]


def test_a_hidden_folder_is_searched_when_it_is_named(here):
    plant(here, {".sets/api.binpb": ONE})
    assert names(expand([".sets"])) == [".sets/api.binpb"]


def test_links_to_files_are_followed_as_mounted_volumes_need(here):
    plant(here, {"volume/..2026/api.binpb": ONE})
    (here / "volume/api.binpb").symlink_to("..2026/api.binpb")
    assert names(expand(["volume"])) == ["volume/api.binpb"]


def test_globs_match_files_and_folders_in_a_fixed_order(here):
    plant(here, {"x/b.binpb": ONE, "x/a.binpb": ONE, "x/c/d.binpb": ONE, "x/.binpb": ONE, "x/e.binpb~": ONE})
    assert names(expand(["x/*"])) == ["x/a.binpb", "x/b.binpb", "x/c/d.binpb"]
    assert names(expand(["**/d.*"])) == ["x/c/d.binpb"]
    assert names(expand([f"{here}/x/[ab].binpb"])) == [f"{here}/x/a.binpb", f"{here}/x/b.binpb"]


def test_a_file_whose_name_looks_like_a_glob_is_taken(here):
    plant(here, {"api[1].binpb": ONE})
    assert names(expand(["api[1].binpb"])) == ["api[1].binpb"]


def test_what_is_found_says_what_named_it_and_where_its_imports_may_begin(here):
    plant(here, {"x/a.proto": b"", "x/y/b.proto": b"", "z.proto": b"", "api.binpb": ONE})
    found = find(["x", "z.proto", "*.binpb"])
    assert [(f.path.as_posix(), f.pattern, f.base.as_posix(), f.in_folder, f.is_proto) for f in found] == [
        ("x/a.proto", "x", "x", True, True),
        ("x/y/b.proto", "x", "x", True, True),
        ("z.proto", "z.proto", ".", False, True),
        ("api.binpb", "*.binpb", ".", False, False),
    ]


def test_a_folder_that_a_glob_matches_is_named_by_its_own_name(here):
    plant(here, {"x/v1/a.proto": b"", "x/v2/b.proto": b""})
    assert [(f.pattern, f.base.as_posix(), f.in_folder) for f in find(["x/*"])] == [
        ("x/v1", "x/v1", True),
        ("x/v2", "x/v2", True),
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("a/b*/c", "a"), ("a/**/c.proto", "a"), ("*.proto", "."), ("a/b", "a/b"), ("odd[1]", "odd[1]")],
)
def test_the_base_of_a_glob_is_its_last_folder_before_anything_varies(here, pattern, expected):
    plant(here, {"odd[1]": b""})
    assert base_of(Path(pattern)).as_posix() == expected


# What is not found


def test_every_pattern_without_a_match_is_a_finding(here):
    plant(here, {"api.binpb": ONE, "empty/README.md": b"nothing"})
    with pytest.raises(SchemaError) as caught:
        expand(["apu.binpb", "api.binpb", "*.desc", "empty", "no/such.binpb", "**x"])
    assert [(f.where, f.what, f.hint) for f in caught.value.findings] == [
        ("apu.binpb", "no such file or folder", "did you mean api.binpb?"),
        ("*.desc", "matches no file", ""),
        (
            "empty",
            "no descriptor set or .proto file in this folder",
            "give a descriptor set, a .proto file, or a folder that has one",
        ),
        ("no/such.binpb", "no such file or folder", ""),
        ("**x", "is no pattern: Invalid pattern: '**' can only be an entire path component", ""),
    ]


def test_a_folder_that_cannot_be_listed_is_a_finding(here, monkeypatch):
    plant(here, {"sets/api.binpb": ONE})

    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", denied)
    finding = only_finding(expand, ["sets"])
    assert (finding.where, finding.what) == ("sets", "cannot be read: Permission denied")


def test_a_file_that_cannot_be_opened_is_no_reason_to_refuse_its_folder(here):
    plant(here, {"sets/api.binpb": ONE})
    (here / "sets/dangling").symlink_to("nowhere")
    assert names(expand(["sets"])) == ["sets/api.binpb"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("api.binpb", False), (".api", True), ("#api#", True), ("api~", True), ("a.tmp", True), ("4913", False)],
)
def test_passing_files_are_told_by_their_names(name, expected):
    assert is_ignored(name) is expected
