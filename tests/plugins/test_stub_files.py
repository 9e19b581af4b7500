from __future__ import annotations

import pytest

from dynconnect.plugins.stub_files import write_stubs
from dynconnect.plugins.stubs import HEADER
from dynconnect.schema.finding import FindingsError

ONE, TWO = "dynconnect_types/__init__.pyi", "dynconnect_types/shop/__init__.pyi"


def below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_stubs_are_written_where_something_has_changed(tmp_path):
    assert write_stubs({ONE: HEADER, TWO: f"{HEADER}a: int\n"}, tmp_path) == (tmp_path / ONE, tmp_path / TWO)
    before = (tmp_path / ONE).stat().st_mtime_ns
    assert write_stubs({ONE: HEADER, TWO: f"{HEADER}b: int\n"}, tmp_path) == (tmp_path / TWO,)
    assert (tmp_path / TWO).read_text() == f"{HEADER}b: int\n"
    assert (tmp_path / ONE).stat().st_mtime_ns == before
    assert below(tmp_path) == [ONE, TWO]


def test_stubs_of_packages_that_are_gone_are_removed_with_their_folders(tmp_path):
    write_stubs({ONE: HEADER, TWO: HEADER}, tmp_path)
    assert write_stubs({ONE: HEADER}, tmp_path) == (tmp_path / TWO,)
    assert [path.name for path in (tmp_path / "dynconnect_types").iterdir()] == ["__init__.pyi"]


def test_files_of_others_stay_and_refuse_what_would_replace_them(tmp_path):
    other = tmp_path / TWO
    other.parent.mkdir(parents=True)
    other.write_text("mine: int\n")
    with pytest.raises(FindingsError) as caught:
        write_stubs({ONE: HEADER, TWO: HEADER}, tmp_path)
    (finding,) = caught.value.findings
    assert (finding.where, other.read_text()) == (str(other), "mine: int\n")
    assert not (tmp_path / ONE).exists(), "nothing is written then"
    write_stubs({ONE: HEADER}, tmp_path)
    assert other.exists()
