from __future__ import annotations

import pytest

from dynconnect.plugins.parameters import names_of, unprovided


class Plain:
    def __init__(self, db, *rest, hot=None, **more):
        pass


def positional(db, /):
    pass


NAMES = [
    pytest.param(Plain, ("db", "hot"), id="a constructor, without self"),
    pytest.param(positional, (), id="what is taken by position only is not given by name"),
    pytest.param(object, (), id="no constructor"),
    pytest.param(dict, (), id="made by C code"),
]


@pytest.mark.parametrize(("function", "expected"), NAMES)
def test_names_are_those_by_which_something_is_asked_for(function, expected):
    assert names_of(function) == expected


def test_what_nothing_provides_is_found_unless_it_has_a_default():
    (finding,) = unprovided(Plain, "Plain()", "a.py:1", ["dbs"])
    assert str(finding) == "a.py:1: Plain() needs 'db', and nothing provides it; did you mean dbs?"
    assert list(unprovided(Plain, "Plain()", "a.py:1", ["db"])) == []


def test_what_is_taken_by_position_cannot_be_provided():
    (finding,) = unprovided(positional, "positional()", "a.py:1", ["db"])
    assert "takes 'db' by position only" in finding.what
