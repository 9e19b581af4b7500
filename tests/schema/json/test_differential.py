"""Our JSON against json_format's, over a few thousand documents; `tests/bench/json_fuzz.py` has many more."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import json_fuzz

DOCUMENTS = 20


@pytest.fixture(scope="module")
def codecs():
    return json_fuzz.Codecs()


@given(seed=st.integers(0, 2**63))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_write_the_same_and_read_the_same(codecs, seed):
    json_fuzz.run(seed, codecs, DOCUMENTS)


def test_all_kinds_of_outcome_come_about(codecs):
    json_fuzz.run(1, codecs, 2000)
    for outcome in ("written", "read alike", "refused alike"):
        assert codecs.outcomes[outcome] > 100
    # The rarest of them need more documents than these.
    assert sum(codecs.outcomes[name] > 0 for name in json_fuzz.LAXNESS) > len(json_fuzz.LAXNESS) / 2


@pytest.mark.parametrize("kind", json_fuzz.TYPES)
def test_every_field_comes_about(kind):
    chance = json_fuzz.Chance(7)
    seen = set()
    for _ in range(3000):
        message = chance.message()
        if message.DESCRIPTOR.full_name == kind:
            seen |= {field.name for field, _ in message.ListFields()}
    cls = json_fuzz.schema().message_class(kind)
    # A NullValue without presence is never there.
    assert {field.name for field in cls.DESCRIPTOR.fields} - {"null"} <= seen
