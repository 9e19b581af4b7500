from __future__ import annotations

import asyncio

import pytest
from support.clock import virtual_time

from dynconnect.plugins.hot import DISPOSE_MAX, Hot


def test_the_successor_begins_with_what_its_predecessor_has():
    old = Hot()
    old.data["rooms"] = {"a"}
    new = Hot(old)
    assert new.data == {"rooms": {"a"}}
    assert new.data["rooms"] is old.data["rooms"]


def test_a_successor_that_is_refused_has_changed_nothing():
    old = Hot()
    old.data["count"] = 1
    refused = Hot(old)
    refused.data["count"] = 7
    refused.data["more"] = True
    assert old.data == {"count": 1}
    assert Hot(old).data == {"count": 1}


MEANWHILE = [
    pytest.param({"count": 2}, {}, {"count": 2}, id="changed by the predecessor"),
    pytest.param({"count": 2}, {"count": 7}, {"count": 7}, id="changed by both"),
    pytest.param({}, {"count": 7}, {"count": 7}, id="changed by the successor"),
    pytest.param({"new": 1}, {}, {"count": 1, "new": 1}, id="put in by the predecessor"),
    pytest.param({"new": 1}, {"new": 2}, {"count": 1, "new": 2}, id="put in by both"),
]


@pytest.mark.parametrize(("old_puts", "new_puts", "expected"), MEANWHILE)
def test_what_is_put_in_until_the_swap_is_not_lost(old_puts, new_puts, expected):
    old = Hot()
    old.data["count"] = 1
    new = Hot(old)
    old.data.update(old_puts)
    new.data.update(new_puts)
    new.take_over()
    assert new.data == expected
    old.data["count"] = "after the swap"
    new.take_over()
    assert new.data == expected


async def test_callbacks_are_called_once_in_their_order_plain_or_async():
    hot, called = Hot(), []

    @hot.dispose
    def first():
        called.append("first")

    @hot.dispose
    async def second():
        await asyncio.sleep(0)
        called.append("second")

    await hot.run_callbacks()
    await hot.run_callbacks()
    assert called == ["first", "second"]
    first()  # the decorator has left it as it was
    assert called[-1] == "first"


async def test_a_callback_that_fails_or_hangs_is_logged_and_the_next_is_called(caplog):
    hot, called = Hot(), []

    @hot.dispose
    def fails():
        raise ValueError("as planned")

    @hot.dispose
    async def hangs():
        await asyncio.Event().wait()

    hot.dispose(lambda: called.append(asyncio.get_running_loop().time()))
    with virtual_time():
        began = asyncio.get_running_loop().time()
        await hot.run_callbacks()
    assert [at - began for at in called] == [pytest.approx(DISPOSE_MAX, abs=0.1)]
    assert [record.message.partition("<locals>.")[2] for record in caplog.records] == [
        "fails failed",
        "hangs failed",
    ]
