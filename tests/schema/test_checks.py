from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from support.descriptors import a_file
from support.protoc import compile_set

from dynconnect.schema.checks import EDITIONS, check
from dynconnect.schema.content import files_of


def found(file):
    return [(finding.where, finding.what) for finding in check(file)]


def with_edition(number):
    """A file in edition *number*, which a setter would refuse: put in as bytes."""
    data = a_file("o.proto", syntax="editions").SerializeToString()
    varint = b""
    while number > 127:
        varint, number = varint + bytes([number & 127 | 128]), number >> 7
    return FileDescriptorProto.FromString(data + b"\x70" + varint + bytes([number]))


@pytest.mark.parametrize("number", EDITIONS)
def test_released_editions_pass(number):
    assert found(with_edition(number)) == []


def test_an_edition_that_is_no_number_is_none():
    assert found(FileDescriptorProto.FromString(a_file("o.proto").SerializeToString() + b"\x72\x01x")) == []


@pytest.mark.parametrize("syntax", ["proto2", "proto3"])
def test_files_without_an_edition_pass(syntax):
    assert found(a_file("o.proto", syntax=syntax)) == []


@pytest.mark.parametrize("number", [1, 900, 1002, 1500, 9999, 99999, 0x7FFFFFFF])
def test_an_unknown_edition_is_a_finding(number):
    (finding,) = check(with_edition(number))
    assert finding.where == "o.proto"
    assert finding.what == f"is written in edition {number}, which dynconnect does not know"
    assert "2024" in finding.hint


def test_a_reserved_number_in_use_is_a_finding():
    file = a_file("o.proto")
    file.message_type[0].reserved_range.add(start=1, end=2)
    assert found(file) == [("o.proto", "field t.M.a has number 1, which is reserved")]


def test_the_end_of_a_message_range_is_free():
    file = a_file("o.proto")
    file.message_type[0].field[0].number = 5
    file.message_type[0].reserved_range.add(start=1, end=5)
    assert found(file) == []


def test_a_reserved_name_in_use_is_a_finding():
    file = a_file("o.proto")
    file.message_type[0].reserved_name.append("a")
    assert found(file) == [("o.proto", "field t.M.a has number 1, and a name that is reserved")]


def test_a_number_kept_for_implementations_is_a_finding():
    file = a_file("o.proto")
    file.message_type[0].field[0].number = 19500
    assert found(file) == [
        ("o.proto", "field t.M.a has number 19500, which is kept for implementations of Protocol Buffers")
    ]


def an_enum(container):
    enum = container.enum_type.add(name="E")
    for number, name in enumerate(("ZERO", "ONE", "TWO")):
        enum.value.add(name=name, number=number)
    return enum


def test_the_end_of_an_enum_range_is_reserved_too():
    file = a_file("o.proto")
    an_enum(file).reserved_range.add(start=1, end=2)
    assert found(file) == [
        ("o.proto", "enum value t.E.ONE has number 1, which is reserved"),
        ("o.proto", "enum value t.E.TWO has number 2, which is reserved"),
    ]


def test_negative_enum_numbers_can_be_reserved():
    file = a_file("o.proto")
    enum = an_enum(file)
    enum.value.add(name="LESS", number=-5)
    enum.reserved_range.add(start=-9, end=-5)
    assert found(file) == [("o.proto", "enum value t.E.LESS has number -5, which is reserved")]


def test_a_reserved_enum_name_in_use_is_a_finding():
    file = a_file("o.proto", "")
    an_enum(file).reserved_name.append("ONE")
    assert found(file) == [("o.proto", "enum value E.ONE has number 1, and a name that is reserved")]


def test_nested_messages_and_enums_are_searched():
    file = a_file("o.proto")
    inner = file.message_type[0].nested_type.add(name="N")
    inner.field.add(name="b", number=7)
    inner.reserved_range.add(start=7, end=8)
    an_enum(inner).reserved_range.add(start=0, end=0)
    assert [what.split(" has ")[0] for _, what in found(file)] == ["field t.M.N.b", "enum value t.M.N.E.ZERO"]


def test_a_finding_has_its_line_where_the_set_knows_it():
    text = """syntax = "proto3";
        package t;
        message M {
          string a = 1;
          message N {
            enum E { ZERO = 0;
                     ONE = 1; }
          }
        }
    """
    file = FileDescriptorProto.FromString(files_of(compile_set({"o.proto": text}))[0])
    file.message_type[0].reserved_range.add(start=1, end=2)
    file.message_type[0].nested_type[0].enum_type[0].reserved_range.add(start=1, end=1)
    assert [where for where, _ in found(file)] == ["o.proto:4", "o.proto:7"]


def test_what_is_reserved_and_not_used_passes():
    text = 'syntax = "proto3"; message M { reserved 1, 5 to 9; reserved "b"; string a = 2; }'
    assert found(FileDescriptorProto.FromString(files_of(compile_set({"o.proto": text}))[0])) == []


def test_what_buf_notes_in_a_file_is_not_taken_for_an_edition():
    noted = a_file("o.proto").SerializeToString() + b"\xd2\xf6\x03\x02\x08\x01"
    assert found(FileDescriptorProto.FromString(noted)) == []
