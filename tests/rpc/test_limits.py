from __future__ import annotations

import dataclasses

import pytest

from dynconnect.rpc.limits import Limits


def test_l1_l4_by_default_messages_are_bounded_as_grpc_bounds_them():
    assert Limits().read_max_bytes == 4 * 1024 * 1024
    assert Limits().send_max_bytes is None


def test_every_limit_but_that_of_what_is_sent_is_set():
    values = dataclasses.asdict(Limits())
    assert {name for name, value in values.items() if value is None} == {"send_max_bytes"}
    assert all(value > 0 for value in values.values() if value is not None)


def test_limits_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().read_max_bytes = 1
