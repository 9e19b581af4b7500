from __future__ import annotations

import functools
from textwrap import dedent

import pytest

from dynconnect.plugins.code import code_hash


def function(text):
    names = {}
    exec(compile(dedent(text), "a file", "exec"), names)  # noqa: S102  as plugins are
    return names["f"]


BASE = "def f(a, b=1):\n    return a + 1"

SAME = [
    pytest.param(
        "\n\n# moved down\ndef f(a, b=1):\n    # a comment\n    return a + 1", id="comments and lines"
    ),
    pytest.param("def f( a, b = 1 ): return a+1", id="spaces"),
]

OTHER = [
    pytest.param("def f(a, b=1):\n    return a + 2", id="a constant"),
    pytest.param("def f(a, b=1):\n    return a - 1", id="an operator"),
    pytest.param("def f(a, b=1):\n    return b + 1", id="a variable"),
    pytest.param("def f(a, b=1):\n    return a.x + 1", id="an attribute"),
    pytest.param("def f(a, b=2):\n    return a + 1", id="a default"),
    pytest.param("def f(a, *, b=1):\n    return a + 1", id="a default of a keyword"),
    pytest.param("async def f(a, b=1):\n    return a + 1", id="async"),
    pytest.param("def f(a, b=1):\n    g = lambda: 1\n    return a + 1", id="a function inside"),
]


@pytest.mark.parametrize("text", SAME)
def test_what_does_not_change_the_code_does_not_change_its_hash(text):
    assert code_hash(function(text)) == code_hash(function(BASE))


@pytest.mark.parametrize("text", OTHER)
def test_what_changes_the_code_changes_its_hash(text):
    assert code_hash(function(text)) != code_hash(function(BASE))


def test_functions_inside_count_by_what_they_do():
    text = "def f():\n    return [x for x in {{'a', 'b', 'c'}} if x == {}]"
    assert code_hash(function(text.format(1))) == code_hash(function("\n" + text.format(1)))
    assert code_hash(function(text.format(1))) != code_hash(function(text.format(2)))


def test_a_decorated_function_is_told_by_what_its_author_wrote():
    def decorated(f):
        @functools.wraps(f)
        def wrapper(*args):
            return f(*args)

        return wrapper

    assert code_hash(decorated(function(BASE))) == code_hash(function(BASE))


def test_a_method_is_told_like_a_function():
    class C:
        f = function(BASE)

    assert code_hash(C().f) == code_hash(function(BASE))


def test_what_has_no_code_is_the_same_as_anything_else_without():
    assert code_hash(len) == code_hash(print)
