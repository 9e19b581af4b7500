"""The leaky bucket."""

import pytest

from dynconnect.server.http2 import Limits
from dynconnect.server.http2.floods import Floods, Meter
from dynconnect.server.http2.frames import FatalError


class Clock:
    now = 0.0
    looks = 0

    def __call__(self):
        self.looks += 1
        return self.now


def test_the_burst_is_free_and_looks_at_no_clock():
    clock = Clock()
    meter = Meter(10, 1, clock)
    assert [meter.add() for _ in range(10)] == [False] * 10
    assert clock.looks == 1  # when it was made
    assert meter.add()


def test_it_leaks_with_time():
    clock = Clock()
    meter = Meter(10, 2, clock)
    assert not meter.add(10)
    clock.now = 3
    assert not meter.add(6)
    assert meter.add(1)
    clock.now = 3.5
    assert not meter.add(0)


def test_it_never_leaks_below_empty():
    clock = Clock()
    meter = Meter(10, 1, clock)
    meter.add(11)
    clock.now = 1e6
    assert not meter.add(10)
    assert meter.add(11)


def test_credit_counts_for_one_burst_at_most():
    meter = Meter(10, 0, Clock())
    meter.level -= 1e9
    assert not meter.add(20)
    assert meter.add(1)


def test_overhead_and_resets_are_counted_apart():
    floods = Floods(Limits(reset_burst=1, overhead_burst=1), Clock())
    floods.count_overhead()
    floods.count_reset()
    with pytest.raises(FatalError, match="without work"):
        floods.count_overhead()
    with pytest.raises(FatalError, match="were reset"):
        floods.count_reset()
