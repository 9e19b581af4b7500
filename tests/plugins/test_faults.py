from __future__ import annotations

import logging
from pathlib import Path

import pytest
from support.bad_plugins import cases

from dynconnect.plugins.faults import fault, syntax_fault
from dynconnect.plugins.space import Space

ODD = [
    pytest.param(
        b"if 1:\n\tx = 1\n        y = 2\n", "a.py:3", "TabError: inconsistent use of tabs", id="tabs"
    ),
    pytest.param(b"# coding: nonsense\n", "a.py", "SyntaxError: unknown encoding", id="an unknown encoding"),
    pytest.param(b"x = 1\0\n", "a.py", "null bytes", id="a null byte"),
    pytest.param(b"x = 1\n\xff\n", "a.py:2", "SyntaxError: (unicode error)", id="not UTF-8"),
]


@pytest.mark.parametrize(("source", "where", "text"), ODD)
def test_what_is_hardly_text_is_found_too(load, folder, source, where, text):
    (folder / "a.py").write_bytes(source)
    (finding,) = load().findings
    assert finding.where == f"plugins/{where}"
    assert text in finding.what


@pytest.mark.parametrize("case", cases(Path(__file__).with_name("bad") / "modules.txt"))
def test_what_a_plugin_does_wrong_is_found_at_its_own_line(load, folder, case):
    case.write(folder)
    (finding,) = load().findings
    case.check(finding)
    # Neither private names nor our own files say anything to an author.
    assert "dynconnect_plugins_g" not in str(finding)
    assert "dynconnect/plugins" not in str(finding)


def test_the_traceback_is_in_the_log_for_those_who_ask(load, write, caplog):
    write(a="1 / 0")
    with caplog.at_level(logging.DEBUG, "dynconnect.plugins"):
        load()
    (record,) = caplog.records
    assert record.getMessage().startswith("plugins/a.py:1: ZeroDivisionError")
    assert record.exc_info[0] is ZeroDivisionError


def test_an_import_that_fails_outside_every_plugin_stands_where_it_was_asked_for(folder):
    space = Space(9101)
    finding = fault(ModuleNotFoundError("No module named 'asynci'", name="asynci"), space, "plugins/a.py")
    space.close()
    assert str(finding).startswith(
        "plugins/a.py: ModuleNotFoundError: No module named 'asynci'; did you mean asyncio?"
    )


def test_what_old_pythons_raise_for_null_bytes_is_a_finding():
    error = ValueError("source code string cannot contain null bytes")
    assert (
        str(syntax_fault(error, "a.py")) == "a.py: ValueError: source code string cannot contain null bytes"
    )
