from __future__ import annotations

from pathlib import Path

import pytest
from support.descriptors import a_file, a_set
from support.proto_project import SHOP, plant

from dynconnect.schema.finding import SchemaError
from dynconnect.schema.load import files_of, load, roots_of
from dynconnect.schema.schema import Schema

ORDER, SERVICE = "shop/v1/order.proto", "shop/v1/shop.proto"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plant(tmp_path, {f"proto/{name}": text for name, text in SHOP.items()})
    (tmp_path / "api.binpb").write_bytes(a_set(a_file("api.proto")))
    return tmp_path


def test_sets_and_sources_make_one_schema(here):
    (here / "proto/api.binpb").write_bytes(a_set(a_file("api.proto")))
    sources = load(["proto"])
    assert [source.path for source in sources] == ["proto/api.binpb", "proto"]
    assert {"api.proto", ORDER, SERVICE} <= Schema(sources).files.keys()


def test_a_set_of_the_same_sources_beside_them_is_no_matter_until_they_differ(here):
    (source,) = load(["proto"])
    (here / "proto/api.binpb").write_bytes(b"".join(b"\n" + _varint(len(f)) + f for f in source.files))
    assert list(Schema(load(["proto"])).services) == ["shop.v1.Orders"]
    plant(here, {f"proto/{ORDER}": SHOP[ORDER].replace("id = 1", "id = 3")})
    with pytest.raises(
        SchemaError, match=r"order\.proto: differs between proto/api\.binpb and proto: message Order"
    ):
        Schema(load(["proto"]))


def _varint(number):
    return bytes([number & 0x7F | 0x80, number >> 7]) if number > 0x7F else bytes([number])


def test_everything_that_is_wrong_is_said_at_once(here):
    plant(here, {"bad/x.proto": "syntax = ;\n", "x.binpb": "", "y.binpb": ""})
    with pytest.raises(SchemaError) as caught:
        load(["x.binpb", "bad", "y.binpb"])
    assert [f.where.partition(":")[0] for f in caught.value.findings] == ["x.binpb", "y.binpb", "bad/x.proto"]


FILES = [
    pytest.param(["api.binpb"], ["api.binpb"], id="a set"),
    pytest.param(["proto"], [f"proto/{ORDER}", f"proto/{SERVICE}"], id="a folder"),
    pytest.param([f"proto/{SERVICE}"], [f"proto/{ORDER}", f"proto/{SERVICE}"], id="a source and its imports"),
    pytest.param(["*.binpb", "gone", "**x"], ["api.binpb"], id="what is wrong is passed over"),
    pytest.param(["twice"], ["twice/a/m.proto", "twice/b/m.proto"], id="what does not go together"),
    pytest.param(["bufs"], ["bufs/buf.lock", "bufs/buf.yaml", "bufs/m.proto"], id="configuration of buf"),
]


@pytest.mark.parametrize(("patterns", "expected"), FILES)
def test_the_files_of_a_schema_are_those_whose_edit_may_change_it(here, patterns, expected):
    plant(here, {"twice/a/m.proto": "", "twice/b/m.proto": "message M {}"})
    plant(here, {"bufs/buf.yaml": "", "bufs/buf.lock": "", "bufs/m.proto": "", "bufs/README.md": ""})
    assert sorted({file.as_posix() for file in files_of(patterns)}) == expected


def test_roots_are_what_is_watched(here):
    patterns = ["proto", "api.binpb", "proto/**/*.proto", "gone"]
    assert list(roots_of(patterns)) == [Path("proto"), Path("api.binpb"), Path("proto"), Path("gone")]
