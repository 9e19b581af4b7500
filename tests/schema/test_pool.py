from __future__ import annotations

import random

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from support.descriptors import a_file, a_source
from support.protoc import compile_set

from dynconnect.schema.content import files_of
from dynconnect.schema.finding import SchemaError
from dynconnect.schema.pool import build
from dynconnect.schema.sources import Source


def findings_of(*sources):
    with pytest.raises(SchemaError) as caught:
        build(sources)
    return [str(finding) for finding in caught.value.findings]


def a_file_that_needs(name, type_name, **more):
    file = a_file(name, name.removesuffix(".proto"), **more)
    file.message_type[0].field.add(name="b", number=2, type="TYPE_MESSAGE", label=1, type_name=type_name)
    return file


def test_a_pool_is_built_whatever_the_order_of_files_and_sets(shop_source):
    files = list(shop_source.files)
    random.Random(2).shuffle(files)  # noqa: S311  an order, no secret
    pool, ordered, given = build([Source("a.binpb", tuple(files[:4])), Source("b.binpb", tuple(files[4:]))])
    assert pool.FindMessageTypeByName("shop.v1.Order")
    assert given == ordered.keys()
    seen = set()
    for name, file in ordered.items():
        assert seen.issuperset(file.proto.dependency)
        seen.add(name)


@pytest.mark.parametrize("name", [b"M", b"a"], ids=["message", "field"])
def test_a_name_that_is_no_unicode_is_found(name):
    data = a_file("t.proto").SerializeToString().replace(b"\x0a\x01" + name, b"\x0a\x01\xff")
    (found,) = findings_of(a_source("api.binpb", data))
    assert found.startswith("t.proto: ")
    assert "Unicode" in found or "UTF-8" in found or "invalid name" in found, found


def test_the_default_pool_never_hears_of_a_users_file(shop_source):
    build([shop_source])
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindFileByName("shop/v1/shop.proto")


def test_two_pools_hold_two_versions_of_a_file():
    one, other = a_file("x.proto"), a_file("x.proto")
    other.message_type[0].field[0].name = "renamed"
    fields = [
        build([a_source("x.binpb", file)])[0].FindMessageTypeByName("t.M").fields_by_number[1].name
        for file in (one, other)
    ]
    assert fields == ["a", "renamed"]


def test_completed_files_are_not_among_the_given():
    _, files, given = build(
        [a_source("a.binpb", a_file("a.proto", dependency=["google/protobuf/any.proto"]))]
    )
    assert given == {"a.proto"}
    assert files["google/protobuf/any.proto"].origin == "google.protobuf.any_pb2"


def test_an_edition_2024_file_with_option_imports_is_taken():
    data = compile_set(
        {
            "opts.proto": """
                syntax = "proto2"; package x; import "google/protobuf/descriptor.proto";
                extend google.protobuf.MessageOptions { optional string tag = 50001; }""",
            "new.proto": """
                edition = "2024"; package x; import option "opts.proto";
                message N { option (tag) = "t"; string a = 1; }""",
        }
    )
    _, files, _ = build([Source("a.binpb", files_of(data))])
    assert list(files["new.proto"].proto.option_dependency) == ["opts.proto"]
    assert list(files).index("opts.proto") < list(files).index("new.proto")


def test_what_a_pool_refuses_is_a_finding_with_its_source():
    (text,) = findings_of(a_source("a.binpb", a_file_that_needs("a.proto", ".t.Nothing")))
    assert text == "a.proto: couldn't resolve name '.t.Nothing'; it came from a.binpb"


def test_a_symbol_declared_twice_names_both_files():
    (text,) = findings_of(a_source("a.binpb", a_file("shop.proto"), a_file("api/shop.proto")))
    assert text == (
        "shop.proto: duplicate symbol 't.M'; it came from a.binpb; "
        "api/shop.proto declares it too: give both sets the same import root"
    )


def test_a_symbol_declared_twice_in_one_file_has_no_other_file():
    file = a_file("a.proto")
    file.message_type.append(file.message_type[0])
    (text,) = findings_of(a_source("a.binpb", file))
    assert text == "a.proto: duplicate symbol 't.M'; it came from a.binpb"


def test_all_that_is_wrong_is_found_at_once():
    reserved = a_file("reserved.proto", "reserved")
    reserved.message_type[0].reserved_name.append("a")
    new = FileDescriptorProto.FromString(
        a_file("new.proto", "new", syntax="editions").SerializeToString() + b"\x70\xdc\x0b"
    )
    found = findings_of(
        a_source("a.binpb", a_file("clash.proto", "one")),
        a_source(
            "b.binpb",
            a_file("clash.proto", "other"),
            a_file("missing.proto", "missing", dependency=["nowhere.proto"]),
            a_file("after.proto", "after", dependency=["missing.proto"]),
            a_file("ring.proto", "ring", dependency=["ring.proto"]),
            a_file_that_needs("unresolved.proto", ".t.Nothing"),
            reserved,
            new,
        ),
    )
    assert sorted(text.partition(";")[0] for text in found) == [
        "b.binpb: nowhere.proto is missing, which missing.proto imports",
        "clash.proto: differs between a.binpb and b.binpb: package",
        "new.proto: is written in edition 1500, which dynconnect does not know",
        "reserved.proto: field reserved.M.a has number 1, and a name that is reserved",
        "ring.proto: imports itself: ring.proto → ring.proto",
        "unresolved.proto: couldn't resolve name '.t.Nothing'",
    ]


def test_what_is_wrong_in_installed_files_is_not_the_users_to_mend(monkeypatch):
    seen = []
    monkeypatch.setattr("dynconnect.schema.pool.check", lambda proto: seen.append(proto.name) or ())
    build([a_source("a.binpb", a_file("a.proto", dependency=["google/protobuf/any.proto"]))])
    assert seen == ["a.proto"]
