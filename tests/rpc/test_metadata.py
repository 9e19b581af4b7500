from __future__ import annotations

import pytest

from dynconnect.rpc.metadata import Metadata

PAIRS = [("x-a", "1"), ("x-b", "2"), ("x-a", "3")]


@pytest.mark.parametrize(
    "items",
    [PAIRS, tuple(PAIRS), iter(PAIRS), Metadata(PAIRS), [("X-A", "1"), ("x-B", "2"), ("X-a", "3")]],
    ids=["a list", "a tuple", "an iterator", "metadata", "names in any case"],
)
def test_d2_pairs_keep_their_order_and_repeat(items):
    metadata = Metadata(items)
    assert metadata.allitems() == PAIRS
    assert metadata.getall("X-A") == ["1", "3"]
    assert metadata.getall("x-c") == []


def test_as_a_mapping_it_holds_the_first_value_of_each_name():
    metadata = Metadata(PAIRS)
    assert dict(metadata) == {"x-a": "1", "x-b": "2"}
    assert list(metadata) == ["x-a", "x-b"]
    assert len(metadata) == 2
    assert metadata["X-A"] == metadata.get("x-A") == "1"
    assert ("X-B" in metadata, "x-c" in metadata, 7 in metadata) == (True, False, False)


def test_a_name_that_is_not_there_is_a_key_error():
    metadata = Metadata(PAIRS)
    with pytest.raises(KeyError, match="X-C"):
        metadata["X-C"]
    with pytest.raises(KeyError, match="X-C"):
        del metadata["X-C"]
    assert metadata.get("x-c") is None
    assert metadata.pop("x-c", "none") == "none"


def test_assignment_and_deletion_touch_every_value_of_a_name():
    metadata = Metadata(PAIRS)
    metadata["X-A"] = "new"
    assert metadata.allitems() == [("x-b", "2"), ("x-a", "new")]
    del metadata["X-B"]
    assert metadata.allitems() == [("x-a", "new")]


def test_add_and_extend_keep_what_is_there():
    metadata = Metadata({"X-A": "1"})
    metadata.add("X-A", "2")
    metadata.extend({"X-B": "3"})
    metadata.extend([("X-A", "4")])
    metadata.extend(Metadata({"x-c": "5"}))
    metadata.extend(())
    assert metadata.allitems() == [("x-a", "1"), ("x-a", "2"), ("x-b", "3"), ("x-a", "4"), ("x-c", "5")]


def test_update_is_assignment_as_in_every_mapping():
    metadata = Metadata(PAIRS)
    metadata.update({"X-A": "9"})
    assert metadata.allitems() == [("x-b", "2"), ("x-a", "9")]


def test_a_copy_is_independent():
    metadata = Metadata(PAIRS)
    copy = Metadata(metadata)
    copy.add("x-c", "4")
    assert metadata.allitems() == PAIRS
    metadata.allitems().clear()
    assert metadata.allitems() == PAIRS


RAW = [(name.lower().encode(), value.encode("latin-1")) for name, value in PAIRS]


def test_raw_pairs_are_decoded_when_they_are_wanted():
    assert Metadata.of_raw(RAW) == Metadata(PAIRS)
    assert Metadata.of_raw([(b"x-a", "é".encode("latin-1"))])["X-A"] == "é"
    assert bool(Metadata.of_raw(RAW))
    assert not Metadata.of_raw([])


def test_raw_pairs_may_be_added_to():
    metadata = Metadata.of_raw(RAW)
    metadata.add("x-c", "4")
    metadata["x-d"] = "5"
    assert metadata.allitems() == [*Metadata(PAIRS).allitems(), ("x-c", "4"), ("x-d", "5")]
    assert len(RAW) == len(PAIRS)


def test_it_has_no_attributes_but_its_own():
    with pytest.raises(AttributeError, match="Metadata has no length"):
        Metadata.of_raw(RAW).length  # noqa: B018  it is the reading that raises


def test_it_is_true_if_there_is_anything():
    assert Metadata({"x-a": ""})
    assert not Metadata()


def test_equality_is_of_pairs_and_order():
    assert Metadata(PAIRS) == Metadata(PAIRS)
    assert Metadata(PAIRS) != Metadata(PAIRS[::-1])
    assert Metadata({"x-a": "1"}) != {"x-a": "1"}


def test_it_has_no_hash_since_it_changes():
    with pytest.raises(TypeError):
        hash(Metadata())


def test_it_shows_its_pairs():
    assert repr(Metadata({"X-A": "1"})) == "Metadata([('x-a', '1')])"


# Binary values


@pytest.mark.parametrize(
    ("value", "text"), [(b"", ""), (b"a", "YQ"), (b"ab", "YWI"), (b"abc", "YWJj"), (b"\xfb\xff", "+/8")]
)
def test_d3_k2_binary_values_are_unpadded_base64(value, text):
    metadata = Metadata()
    metadata.add_binary("X-A-Bin", value)
    assert metadata.allitems() == [("x-a-bin", text)]
    assert metadata.get_binary("x-a-BIN") == [value]


def test_d3_the_name_of_a_binary_value_must_say_so():
    metadata = Metadata()
    with pytest.raises(ValueError, match="must end in -bin: 'x-a'"):
        metadata.add_binary("x-a", b"")
    assert not metadata


@pytest.mark.parametrize(
    ("lines", "values"),
    [
        ([], []),
        (["YQ=="], [b"a"]),
        (["YQ", "YWI="], [b"a", b"ab"]),
        (["YQ==, YWI ,YWJj"], [b"a", b"ab", b"abc"]),
        (["YQ,Yg", "Yw=="], [b"a", b"b", b"c"]),
        (["-_8"], [b"\xfb\xff"]),
        ([""], [b""]),
    ],
)
def test_d2_d3_binary_values_are_read_padded_or_not_joined_or_not(lines, values):
    assert Metadata([("x-a-bin", line) for line in lines]).get_binary("x-a-bin") == values


@pytest.mark.parametrize("value", ["Y", "Y!", "Y Q", "\xe9", "YQ==YQ=="])
def test_d3_what_is_no_base64_is_a_value_error(value):
    with pytest.raises(ValueError):  # noqa: PT011  the text is Python's for some
        Metadata({"x-a-bin": value}).get_binary("x-a-bin")
