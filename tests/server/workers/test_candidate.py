"""A candidate: built aside, then swapped in or let go, and never both."""

from __future__ import annotations

import pytest

from dynconnect.schema.finding import Finding, FindingsError
from dynconnect.server.workers.candidate import Candidate


class Built:
    """A generation, as far as it matters here."""

    def __init__(self, number):
        self.number = number
        self.hash = f"content {number}"
        self.closed = False

    async def aclose(self):
        self.closed = True


class Bench:
    """What was built, and what was swapped in."""

    def __init__(self):
        self.built = []
        self.swapped = []
        self.candidate = Candidate(self.build, self.swapped.append)

    async def build(self, number):
        if number == 13:
            raise FindingsError([Finding("a.py", "is wrong")])
        self.built.append(Built(number))
        return self.built[-1]


@pytest.fixture
def bench():
    return Bench()


async def test_what_is_prepared_is_swapped_in_once_it_is_wanted(bench):
    assert await bench.candidate.prepare(2) is bench.built[0]
    assert bench.swapped == []
    await bench.candidate.commit()
    await bench.candidate.commit()
    assert bench.swapped == bench.built
    await bench.candidate.abort()
    assert not bench.built[0].closed, "it serves"


async def test_what_is_not_wanted_is_closed_and_never_swapped_in(bench):
    await bench.candidate.prepare(2)
    await bench.candidate.abort()
    assert bench.built[0].closed
    await bench.candidate.commit()
    assert bench.swapped == []


async def test_there_is_one_candidate_at_a_time(bench):
    await bench.candidate.prepare(2)
    await bench.candidate.prepare(2)
    assert [built.closed for built in bench.built] == [True, False]
    await bench.candidate.commit()
    assert bench.swapped == bench.built[1:]


async def test_after_findings_there_is_no_candidate(bench):
    await bench.candidate.prepare(2)
    with pytest.raises(FindingsError, match=r"a\.py: is wrong"):
        await bench.candidate.prepare(13)
    await bench.candidate.commit()
    assert bench.swapped == []
    assert bench.built[0].closed
