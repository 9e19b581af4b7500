from __future__ import annotations

import dataclasses

import pytest
from google.protobuf.duration_pb2 import Duration

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.rpc.metadata import Metadata


def test_an_error_has_a_code_and_needs_nothing_else():
    error = ConnectError(Code.NOT_FOUND)
    assert (error.code, error.message, error.details, error.packed) == (Code.NOT_FOUND, "", (), [])
    assert not error.metadata


@pytest.mark.parametrize(
    ("message", "text"), [("", "not_found"), ("no \u2603 here", "not_found: no \u2603 here")]
)
def test_it_reads_as_its_code_and_message(message, text):
    assert str(ConnectError(Code.NOT_FOUND, message)) == text


def test_x2_only_packed_details_go_on_the_wire_in_their_order():
    first, second = ErrorDetail("a.B", b"1"), ErrorDetail("a.C", b"2", debug={"x": 1})
    error = ConnectError(Code.ABORTED, "", iter([first, Duration(seconds=1), second, {"@type": "a.D"}]))
    assert len(error.details) == 4
    assert error.packed == [first, second]


@pytest.mark.parametrize("metadata", [{"X-A": "1"}, [("x-a", "1")], Metadata([("x-a", "1")])])
def test_x6_metadata_may_be_given_in_any_form(metadata):
    assert ConnectError(Code.ABORTED, metadata=metadata).metadata.allitems() == [("x-a", "1")]


def test_metadata_of_an_error_is_its_own():
    given = Metadata([("x-a", "1")])
    ConnectError(Code.ABORTED, metadata=given).metadata.add("x-b", "2")
    assert given.allitems() == [("x-a", "1")]


def test_a_detail_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ErrorDetail("a.B", b"").value = b"x"


def test_it_can_be_raised_and_caught_like_any_exception():
    with pytest.raises(ConnectError, match="not_found: gone") as caught:
        raise ConnectError(Code.NOT_FOUND, "gone")
    assert caught.value.args == (Code.NOT_FOUND, "gone")
