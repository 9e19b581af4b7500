from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from hypothesis import given, settings
from hypothesis import strategies as st
from support.descriptors import a_file, a_set

from dynconnect.schema.content import HEAD_BYTES, NotASetError, files_of, is_head

# Tag and length of field 8042, a message: what buf writes into each file of an image.
BUF_FILE_EXTENSION = b"\xd2\xf6\x03" + b"\x02\x08\x01"
# Field 536000000 of the set itself, likewise.
BUF_SET_EXTENSION = b"\x82\xe0\xd6\xfc\x0f" + b"\x02\x08\x01"


def test_files_keep_their_original_bytes():
    # Fields out of order, and one that no descriptor.proto knows: a parser would write neither again.
    odd = b"\x62\x06proto3" + b"\x0a\x07b.proto" + b"\xc2\xb8\x02\x01x"
    plain = a_file("a.proto").SerializeToString()
    data = a_set(a_file("a.proto")) + b"\x0a" + bytes([len(odd)]) + odd
    assert files_of(data) == (plain, odd)


def test_a_buf_image_is_a_set_and_keeps_what_buf_wrote_into_its_files():
    file = a_file("a.proto").SerializeToString() + BUF_FILE_EXTENSION
    data = b"\x0a" + bytes([len(file)]) + file + BUF_SET_EXTENSION
    assert files_of(data) == (file,)


def test_a_set_of_protoc_is_cut_as_protobuf_parses_it(shop_set):
    parsed = FileDescriptorSet.FromString(shop_set).file
    assert [FileDescriptorProto.FromString(file) for file in files_of(shop_set)] == list(parsed)


GOOD = a_set(a_file("a.proto"), a_file("b.proto"))
OTHERS = [
    pytest.param(b"", "is empty", id="empty"),
    pytest.param(b'{"file": []}', "is JSON", id="JSON image"),
    pytest.param(b'\xef\xbb\xbf\n [{"file": []}]', "is JSON", id="JSON after blanks"),
    pytest.param(b'syntax = "proto3";\n', r"is \.proto source", id="proto source"),
    pytest.param(
        b'// Copyright\nedition = "2023";\n', r"is \.proto source", id="proto source by its comment"
    ),
    pytest.param(b"\n\n/* c */\n", r"is \.proto source", id="proto source after blank lines"),
    pytest.param(b"file {\n  name: 'a'\n}\n", "in text format", id="text format"),
    pytest.param(b"# How to build\n", "is text", id="README"),
    pytest.param(b"\x28\xb5\x2f\xfd\x00\x01", "zstd", id="zstd"),
    pytest.param(GOOD[:-3], "is truncated", id="cut inside the last file"),
    pytest.param(GOOD[:20], "is truncated", id="cut inside the first file"),
    pytest.param(GOOD + b"\x0a", "is truncated", id="cut after a tag"),
    pytest.param(GOOD + b"\x0a\x80", "is truncated", id="cut inside a size"),
    pytest.param(b"\x7fELF\x02\x01\x01", "is not a descriptor set", id="a program"),
    pytest.param(
        a_file("a.proto").SerializeToString(), "is not a descriptor set", id="a file without its set"
    ),
    pytest.param(BUF_SET_EXTENSION, "is not a descriptor set", id="no file in it"),
    pytest.param(b"\x0a\x02\x0a\x00", "file 1 has no name", id="a file without a name"),
    pytest.param(b"\x0a\x03\x9a\x06\x00", "file 1 has no name", id="unknown fields only"),
    pytest.param(b"\x0a\x03\x0a\x05a", "is damaged: file 1", id="a file that does not parse"),
    pytest.param(b"\x0a\x03\x0a\x01\xff", "is damaged: file 1", id="a name that is no Unicode"),
    pytest.param(b"\x0a\x06\x0a\x01a\x12\x01\xff", "is damaged: file 1", id="a package that is no Unicode"),
    pytest.param(b"\x0a\x06\x0a\x01a\x1a\x01\xff", "is damaged: file 1", id="an import that is no Unicode"),
    pytest.param(b"\x0a\x06\x0a\x01a\x7a\x01\xff", "is damaged: file 1", id="an option's import likewise"),
    pytest.param(b"\x0a" + b"\xff" * 11 + b"\0", "is not a descriptor set", id="an endless size"),
]


@pytest.mark.parametrize(("data", "expected"), OTHERS)
def test_what_is_no_set_is_called_by_its_name(data, expected):
    with pytest.raises(NotASetError, match=expected) as caught:
        files_of(data)
    assert caught.value.hint


def test_sources_are_to_be_compiled_with_their_imports():
    with pytest.raises(NotASetError) as caught:
        files_of(b'syntax = "proto3";')
    assert "buf build -o api.binpb" in caught.value.hint
    assert "protoc --include_imports --include_source_info -o api.binpb" in caught.value.hint


def test_a_truncated_set_that_begins_like_json_is_truncated():
    # The size of this file is 123, which is "{".
    file = a_file("a.proto")
    file.message_type[0].name = "M" * (124 - len(file.SerializeToString()))
    data = a_set(file)
    assert data.startswith(b"\n{")
    with pytest.raises(NotASetError, match="is truncated"):
        files_of(data[:-1])


def test_every_way_to_cut_a_set_is_noticed_unless_it_falls_between_files():
    between = len(a_set(a_file("a.proto")))
    for end in range(1, len(GOOD)):
        if end != between:
            with pytest.raises(NotASetError):
                files_of(GOOD[:end])
    assert len(files_of(GOOD[:between])) == 1


def test_a_head_of_a_set_is_recognised_from_few_bytes(shop_set):
    assert is_head(shop_set[:HEAD_BYTES])
    assert is_head(GOOD[:HEAD_BYTES])
    assert not is_head(b"# How to build\n"[:HEAD_BYTES])
    assert not is_head(b"")


@settings(deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"\x0a" + tail))
def test_any_bytes_are_files_with_names_or_no_set(data):
    try:
        files = files_of(data)
    except NotASetError:
        return
    assert all(FileDescriptorProto.FromString(file).name for file in files)
