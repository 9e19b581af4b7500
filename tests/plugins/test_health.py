from __future__ import annotations

import pytest

from dynconnect.plugins.health import Health


def test_everything_serves_until_something_else_is_said():
    health = Health(["shop.v1.Orders"])
    assert health.failing == frozenset()
    health.set("shop.v1.Orders", serving=False)
    health.set(serving=False)
    assert health.failing == {"shop.v1.Orders", ""}
    health.set(serving=True)
    assert health.failing == {"shop.v1.Orders"}


def test_changes_are_told_and_repeats_are_not():
    told = []
    health = Health(["shop.v1.Orders"])
    health.on_change = lambda: told.append(health.failing)
    for serving in (True, False, False, True, True):
        health.set("shop.v1.Orders", serving=serving)
    assert told == [{"shop.v1.Orders"}, set()]


@pytest.mark.parametrize(
    ("name", "hint"), [("shop.v1.Order", "; did you mean shop.v1.Orders?"), ("other", "")]
)
def test_a_service_that_there_is_not_is_an_error(name, hint):
    with pytest.raises(LookupError) as caught:
        Health(["shop.v1.Orders"]).set(name, serving=False)
    assert str(caught.value) == f"there is no service {name}{hint}"
