from __future__ import annotations

import random
from itertools import pairwise

import pytest
from support.descriptors import a_file, a_source
from support.programs import modules_after

from dynconnect.schema.files import merge
from dynconnect.schema.imports import DESCRIPTOR, complete, installed, ordered


def files_of(*protos):
    return merge([a_source("a.binpb", *protos)], [])


def completed(*protos):
    files, findings = files_of(*protos), []
    complete(files, findings)
    return files, findings


# Completing


def test_missing_imports_come_from_installed_packages_with_their_own_imports():
    files, findings = completed(a_file("a.proto", dependency=["google/api/annotations.proto"]))
    assert not findings
    assert set(files) == {"a.proto", "google/api/annotations.proto", "google/api/http.proto", DESCRIPTOR}
    assert files["google/api/http.proto"].origin == "google.api.http_pb2"


def test_what_a_set_brings_is_not_replaced():
    mine = a_file("google/protobuf/timestamp.proto", "google.protobuf")
    files, _ = completed(mine, a_file("a.proto", dependency=[mine.name]))
    assert files[mine.name].origin == "a.binpb"


def test_descriptor_proto_is_always_there_to_read_options_with():
    assert DESCRIPTOR in completed(a_file("a.proto"))[0]


def test_every_missing_import_is_a_finding_with_all_that_need_it():
    _, findings = completed(
        a_file("a.proto", dependency=["x/y.proto", "x/z.proto"]),
        a_file("b.proto", dependency=["x/y.proto"]),
        a_file("c.proto", dependency=["google/type/nothing.proto"]),
    )
    assert [(finding.where, finding.what) for finding in findings] == [
        ("a.binpb", "google/type/nothing.proto is missing, which c.proto imports"),
        ("a.binpb", "x/y.proto is missing, which a.proto, b.proto import"),
        ("a.binpb", "x/z.proto is missing, which a.proto imports"),
    ]
    assert all("--include_imports" in finding.hint for finding in findings)


def test_a_missing_weak_import_is_a_finding_as_a_pool_cannot_do_without():
    _, findings = completed(a_file("a.proto", dependency=["w.proto"], weak_dependency=[0]))
    assert [finding.what for finding in findings] == ["w.proto is missing, which a.proto imports"]


def test_an_import_for_options_is_completed_but_may_be_missing():
    wanted = ["google/api/annotations.proto", "nowhere.proto"]
    files, findings = completed(a_file("a.proto", option_dependency=wanted))
    assert "google/api/annotations.proto" in files
    assert not findings


OTHERS = [
    pytest.param("shop/v1/shop.proto", id="a user's"),
    pytest.param("google/api/nothing.proto", id="in a known folder, but not there"),
    pytest.param("google/genai/types.proto", id="of another Google package"),
    pytest.param("google/protobuf/../../os.proto", id="a way up"),
    pytest.param("google/api.proto", id="a folder"),
    pytest.param("google/api/http", id="no .proto"),
    pytest.param("", id="empty"),
]


@pytest.mark.parametrize("path", OTHERS)
def test_nothing_else_is_imported_on_the_word_of_a_file(path):
    assert installed(path) is None


def test_long_running_operations_are_completed_without_grpc():
    call = "assert installed('google/longrunning/operations.proto')"
    assert "grpc" not in modules_after(f"from dynconnect.schema.imports import installed; {call}")


# Ordering


def test_files_come_after_what_they_import_whatever_the_order_of_the_sets():
    protos = [
        a_file("f0.proto"),
        *(a_file(f"f{n}.proto", dependency=[f"f{n - 1}.proto"]) for n in range(1, 30)),
    ]
    random.Random(1).shuffle(protos)  # noqa: S311  an order, no secret
    assert ordered(files_of(*protos), []) == [f"f{n}.proto" for n in range(30)]


def test_a_file_comes_after_its_imports_for_options():
    protos = [a_file("a.proto", option_dependency=["z.proto", "nowhere.proto"]), a_file("z.proto")]
    assert ordered(files_of(*protos), []) == ["z.proto", "a.proto"]


def test_the_order_does_not_depend_on_the_order_of_the_files():
    protos = [a_file(f"{name}.proto") for name in "abcdef"]
    assert ordered(files_of(*protos), []) == ordered(files_of(*reversed(protos)), [])


def test_a_chain_of_thousands_of_files_is_ordered():
    protos = [
        a_file("f0.proto"),
        *(a_file(f"f{n}.proto", dependency=[f"f{n - 1}.proto"]) for n in range(1, 3000)),
    ]
    assert ordered(files_of(*reversed(protos)), [])[-1] == "f2999.proto"


def test_files_that_import_each_other_are_a_finding():
    findings = []
    ring = {"a.proto": "b.proto", "b.proto": "c.proto", "c.proto": "a.proto"}
    assert ordered(files_of(*(a_file(name, dependency=[to]) for name, to in ring.items())), findings)
    (finding,) = findings
    assert finding.where in ring
    around = finding.what.removeprefix("imports itself: ").split(" → ")
    assert all(ring[one] == other for one, other in pairwise(around))
    assert len(around) == 4
