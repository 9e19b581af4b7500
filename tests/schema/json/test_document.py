from __future__ import annotations

import pytest

from dynconnect.schema.json import document
from dynconnect.schema.json.errors import JsonError

TWICE = [
    b'{"a": 1, "a": 2}',
    b'{"a" : 1, "a" : 1}',
    b'{"a": {"b": [{"c": 1, "c": 1}]}}',
    b'{"a": 1, "a": "\\u003a"}',
    b'{"a": 1, "\\u0061": 2}',
    b'{"a": ":", "a": ""}',
    b'{"": 1, "": 2}',
]


@pytest.mark.parametrize("data", TWICE)
def test_a_member_twice_is_refused_wherever_and_however_it_is_written(data):
    with pytest.raises(JsonError, match="same member twice"):
        document.loads(data)


ONCE = [
    b'{"a": ":::", "b": [":"]}',
    b'{"a": "\\u003a", "b": "\\u003A:"}',
    b'[{"a": 1}, {"a": 1}]',
    b'{"a" :1}',
    b'":"',
]


@pytest.mark.parametrize("data", ONCE)
def test_colons_elsewhere_are_no_members(data):
    assert document.loads(data) == document.loads_exactly(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "zero-length JSON; an empty message is {}"),
        (b" ", "no JSON: "),
        (b"{", "no JSON: "),
        (b"NaN", "no JSON: "),
        (b"\xef\xbb\xbf{}", "no JSON: "),
        (b"[" * 500 + b"]" * 500, "nested too deep"),
        (b"[" * 5000 + b"]" * 5000, "nested too deep"),
    ],
)
def test_what_is_no_json_is_refused(data, message):
    with pytest.raises(JsonError) as caught:
        document.loads(data)
    assert str(caught.value).startswith(message)


def test_large_integers_are_exact_when_they_have_to_be():
    assert document.loads_exactly(b"[-9223372036854775809, 1e20, 0.5]") == [-9223372036854775809, 10**20, 0.5]


def test_what_is_nested_too_deep_or_is_no_value_is_not_written():
    deep = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(JsonError, match="nested too deep"):
        document.dumps(deep)
    with pytest.raises(JsonError, match="not JSON serializable"):
        document.dumps(object())
