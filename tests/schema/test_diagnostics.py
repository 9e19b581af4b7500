from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.proto_project import SHOP, plant

from dynconnect.schema.diagnostics import Diagnostic, Reader, of_buf, of_protoc
from dynconnect.schema.protos import Proto

LINES = [
    pytest.param("a.proto:3:7: No.", Diagnostic("a.proto", ":3:7", "No."), id="placed"),
    pytest.param(
        "/x: y/a.proto:3:7: Not: so.",
        Diagnostic("/x: y/a.proto", ":3:7", "Not: so."),
        id="with colons",
    ),
    pytest.param(
        "a.proto:3:7: warning: Hm.", Diagnostic("a.proto", ":3:7", "Hm.", is_warning=True), id="warning"
    ),
    pytest.param(
        "x/a.proto: File not found.", Diagnostic("x/a.proto", "", "File not found."), id="not placed"
    ),
    pytest.param(
        "[libprotobuf WARNING google/protobuf/compiler/parser.cc:646] No syntax specified.",
        Diagnostic("", "", "No syntax specified.", is_warning=True),
        id="remark of old compilers",
    ),
    pytest.param(
        "W0000 00:00:1795646557.575310   19939 parser.cc:659] No edition: a.proto.",
        Diagnostic("", "", "No edition: a.proto.", is_warning=True),
        id="remark of new ones",
    ),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_what_protoc_prints_is_read(line, expected):
    noise = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    assert list(of_protoc(f"{noise}{line}\n")) == [expected]


def test_what_buf_prints_is_read_and_its_other_words_are_passed_over():
    said = [{"path": "a.proto", "start_line": 3, "start_column": 7, "message": "No."}]
    said.append({"path": "b.proto", "message": "Nor that."})
    lines = [*map(json.dumps, said), "Failure: of the network", "7", '{"no": "path"}']
    assert list(of_buf("\n".join(lines))) == [
        Diagnostic("a.proto", ":3:7", "No."),
        Diagnostic("b.proto", "", "Nor that."),
    ]


ORDER, SERVICE = "shop/v1/order.proto", "shop/v1/shop.proto"


@pytest.fixture
def reader(tmp_path):
    plant(tmp_path, {f"proto/{name}": text for name, text in SHOP.items()})
    plant(tmp_path, {"proto/shop/v1/basket.proto": "", "common/v1/money.proto": ""})
    protos = [Proto(Path("proto", name), tmp_path / "proto", name, "proto") for name in SHOP]
    return Reader(protos, ["google/protobuf/timestamp.proto"])


def test_every_spelling_of_a_file_is_shown_as_its_user_writes_it(reader, tmp_path):
    spellings = [ORDER, f"{tmp_path}/proto/{ORDER}", f"proto/{ORDER}"]
    findings = reader.findings(Diagnostic(spelt, ":1:2", spelt) for spelt in spellings)
    assert {finding.where for finding in findings} == {f"proto/{ORDER}:1:2"}
    assert reader.where(Diagnostic("else/where.proto", ":1:2", "")) == "else/where.proto:1:2"


def test_warnings_are_no_findings(reader):
    assert reader.findings([Diagnostic(ORDER, ":1:1", "Hm.", is_warning=True)]) == []


def test_what_follows_from_the_faults_of_an_import_is_left_out(reader):
    said = [
        Diagnostic(ORDER, ":1:1", "Bad."),
        Diagnostic(SERVICE, ":3:1", f'Import "{ORDER}" was not found or had errors.'),
        Diagnostic(SERVICE, ":6:1", "Bad too."),
        Diagnostic(SERVICE, ":6:1", "Bad too."),
    ]
    assert [finding.what for finding in reader.findings(said)] == ["Bad.", "Bad too."]


def imported(name):
    return f'Import "{name}" was not found or had errors.'


HINTS = [
    pytest.param(imported("shop/v1/ordr.proto"), f"did you mean {ORDER}?", id="misspelt import"),
    pytest.param(
        imported("shop/v1/baskets.proto"), "did you mean shop/v1/basket.proto?", id="what is not loaded"
    ),
    pytest.param(
        imported("google/protobuf/timestmp.proto"),
        "did you mean google/protobuf/timestamp.proto?",
        id="what is installed",
    ),
    pytest.param(
        imported("order.proto"), f"there is proto/{ORDER}: give proto/shop/v1 as a schema too", id="a root"
    ),
    pytest.param(imported("common/v1/money.proto"), "give {here} as a schema", id="a root above"),
    pytest.param(imported("x/y/z"), "give the folder that its path begins in as a schema too", id="nothing"),
    pytest.param('"strin" is not defined.', "did you mean string?", id="a scalar"),
    pytest.param('"shop.v1.Oder" is not defined.', "did you mean Order?", id="a message"),
    pytest.param(
        '"Order" is not defined.', f"{ORDER} declares a Order: import it, and write its package", id="a file"
    ),
    pytest.param(
        '"google.protobuf.Timestamp" is not defined.',
        'import "google/protobuf/timestamp.proto"',
        id="a well-known type",
    ),
    pytest.param("cannot find `.strin` in this scope", "did you mean string?", id="in the words of buf"),
    pytest.param('"Xyzzy" is not defined.', "", id="no hint for what is like nothing"),
    pytest.param("Something else.", "", id="no hint for other words"),
]


@pytest.mark.parametrize(("what", "hint"), HINTS)
def test_hints_say_what_to_do_where_that_is_plain(reader, tmp_path, what, hint):
    (finding,) = reader.findings([Diagnostic(SERVICE, ":3:1", what)])
    assert finding.hint.endswith(hint.replace("{here}", str(tmp_path)))
    assert bool(finding.hint) == bool(hint)


def test_a_missing_import_is_one_finding_that_names_it(reader):
    said = [
        Diagnostic("x/y.proto", "", "File not found."),
        Diagnostic(SERVICE, ":3:1", imported("x/y.proto")),
    ]
    (finding,) = reader.findings(said)
    assert (finding.where, finding.what) == (
        f"proto/{SERVICE}:3:1",
        "x/y.proto is imported, and there is no such file",
    )


def test_a_missing_import_is_named_though_buf_does_not(reader, tmp_path):
    plant(tmp_path, {f"proto/{SERVICE}": '\nimport "shop/v1/ordr.proto";\n'})
    (finding,) = reader.findings([Diagnostic(f"proto/{SERVICE}", ":2:1", "imported file does not exist")])
    assert finding.what == "shop/v1/ordr.proto is imported, and there is no such file"
    assert finding.hint == f"did you mean {ORDER}?"


@pytest.mark.parametrize("place", ["", ":1:1", ":99:1"])
def test_what_buf_says_stays_where_no_import_stands_there(reader, place):
    (finding,) = reader.findings([Diagnostic(f"proto/{SERVICE}", place, "imported file does not exist")])
    assert (finding.what, finding.hint) == ("imported file does not exist", "")
