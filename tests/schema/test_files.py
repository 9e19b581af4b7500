from __future__ import annotations

import pytest
from support.descriptors import a_file, a_source

from dynconnect.schema.files import merge


def merged(*sources):
    findings = []
    return merge(sources, findings), findings


def test_files_of_all_sources_are_merged_by_import_path():
    files, findings = merged(a_source("a.binpb", a_file("a.proto")), a_source("b.binpb", a_file("b.proto")))
    assert {name: file.origin for name, file in files.items()} == {"a.proto": "a.binpb", "b.proto": "b.binpb"}
    assert not findings


def test_an_equal_file_is_taken_once_from_where_it_came_first():
    files, findings = merged(a_source("a.binpb", a_file("x.proto")), a_source("b.binpb", a_file("x.proto")))
    assert [file.origin for file in files.values()] == ["a.binpb"]
    assert not findings


def test_the_same_file_in_one_set_twice_is_taken_once():
    files, findings = merged(a_source("a.binpb", a_file("x.proto"), a_file("x.proto")))
    assert list(files) == ["x.proto"]
    assert not findings


@pytest.mark.parametrize("commented_first", [True, False])
def test_files_that_differ_in_comments_are_equal_and_the_commented_one_is_kept(commented_first):
    plain, commented = a_file("x.proto"), a_file("x.proto")
    commented.source_code_info.location.add(path=[4, 0], span=[1, 2, 3], leading_comments="Hello")
    pair = [commented, plain] if commented_first else [plain, commented]
    files, findings = merged(*(a_source(f"{at}.binpb", file) for at, file in enumerate(pair)))
    assert files["x.proto"].proto.source_code_info == commented.source_code_info
    assert not findings


def test_a_set_of_buf_and_one_of_protoc_are_equal():
    plain = a_file("x.proto").SerializeToString()
    noted = plain + b"\xd2\xf6\x03\x02\x08\x01"
    files, findings = merged(a_source("protoc.binpb", plain), a_source("buf.binpb", noted))
    assert list(files) == ["x.proto"]
    assert not findings


@pytest.mark.parametrize("turn", [1, -1], ids=["one order", "the other"])
def test_which_of_two_equal_files_is_kept_does_not_depend_on_their_order(turn):
    pair = []
    for note in (b"\x01", b"\x02"):
        file = a_file("x.proto")
        file.source_code_info.location.add(span=[1, 2, 3])
        pair.append(file.SerializeToString() + b"\xd2\xf6\x03\x02\x08" + note)
    files, findings = merged(*(a_source("s.binpb", data) for data in pair[::turn]))
    assert files["x.proto"].data == pair[1]
    assert not findings


def another_field(file):
    file.message_type[0].field[0].name = "b"


def another_enum(file):
    file.enum_type.add(name="E").value.add(name="E_NONE", number=0)


def another_package(file):
    file.package = "elsewhere"


def another_option(file):
    # Field 50001 of the options: custom, so unknown to whoever parses them without its file.
    file.message_type[0].options.MergeFromString(b"\x8a\xb5\x18\x01x")


def another_import(file):
    file.option_dependency.append("a.proto")


DIFFERENCES = [
    pytest.param(another_field, "message M", id="a field"),
    pytest.param(another_enum, "enum E", id="an enum"),
    pytest.param(another_package, "package", id="the package"),
    pytest.param(another_option, "message M", id="a custom option"),
    pytest.param(another_import, "option dependency", id="an import for options"),
]


@pytest.mark.parametrize(("change", "where"), DIFFERENCES)
def test_two_different_files_of_one_path_are_a_finding_that_names_both_sources(change, where):
    other = a_file("x.proto")
    change(other)
    files, findings = merged(a_source("a.binpb", a_file("x.proto")), a_source("b.binpb", other))
    (finding,) = findings
    assert finding.where == "x.proto"
    assert finding.what == f"differs between a.binpb and b.binpb: {where}"
    assert finding.hint
    assert files["x.proto"].origin == "a.binpb"


def test_the_order_of_messages_is_part_of_a_file():
    one, other = a_file("x.proto"), a_file("x.proto")
    one.message_type.add(name="N")
    other.message_type.insert(0, one.message_type[1])
    _, findings = merged(a_source("a.binpb", one), a_source("b.binpb", other))
    assert "order of each message" in findings[0].what


def test_every_clash_is_found():
    mine = [a_file("x.proto"), a_file("y.proto")]
    theirs = [a_file("x.proto", "other"), a_file("y.proto", "other")]
    _, findings = merged(a_source("a.binpb", *mine), a_source("b.binpb", *theirs))
    assert [finding.where for finding in findings] == ["x.proto", "y.proto"]
