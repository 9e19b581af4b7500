from __future__ import annotations

from types import SimpleNamespace

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.answer import believed, check_content_type, check_status, compression_of


def faulty(error):
    yield b"a"
    raise error


@pytest.mark.parametrize("code", Code)
def test_a_fault_ends_the_messages_and_is_the_servers(code):
    call = SimpleNamespace(error=None)
    assert list(believed(call, faulty(ConnectError(code, "why")))) == [b"a"]
    expected = Code.INTERNAL if code is Code.INVALID_ARGUMENT else code
    assert (call.error.code, call.error.message) == (expected, "why")


def test_nothing_is_believed_after_a_fault():
    error = ConnectError(Code.INTERNAL)
    call = SimpleNamespace(error=error)
    assert list(believed(call, faulty(ConnectError(Code.ABORTED)))) == []
    assert call.error is error


def test_what_is_no_fault_of_the_answer_passes_through():
    with pytest.raises(ZeroDivisionError):
        list(believed(SimpleNamespace(error=None), faulty(ZeroDivisionError())))


STATUSES = {
    400: Code.INTERNAL,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.UNAVAILABLE,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
    100: Code.UNKNOWN,
    201: Code.UNKNOWN,
    304: Code.UNKNOWN,
    409: Code.UNKNOWN,
    415: Code.UNKNOWN,
    418: Code.UNKNOWN,
    499: Code.UNKNOWN,
    500: Code.UNKNOWN,
    501: Code.UNKNOWN,
    505: Code.UNKNOWN,
    800: Code.UNKNOWN,
}


@pytest.mark.parametrize(("status", "code"), STATUSES.items())
def test_x8_every_status_but_200_has_a_code(status, code):
    with pytest.raises(ConnectError, match=f"HTTP status {status}") as caught:
        check_status(status)
    assert caught.value.code is code


def test_x8_200_is_no_error():
    check_status(200)


@pytest.mark.parametrize(
    "found", ["application/x", "Application/X", " application/x ", "application/x; charset=utf-8"]
)
def test_a_content_type_is_what_it_is_without_case_and_parameters(found):
    check_content_type(found, ("application/w", "application/x"), "application/")


@pytest.mark.parametrize(
    ("found", "code"),
    [("application/y", Code.INTERNAL), ("text/html; charset=utf-8", Code.UNKNOWN), ("", Code.UNKNOWN)],
)
def test_a_wrong_content_type_says_who_answered(found, code):
    with pytest.raises(ConnectError, match=r"expected application/w or application/x") as caught:
        check_content_type(found, ("application/w", "application/x"), "application/")
    assert caught.value.code is code
    assert repr(found) in caught.value.message


@pytest.mark.parametrize("name", ["", "identity"])
def test_c2_identity_is_no_compression(name):
    assert compression_of(wire.offer(), name) is None


def test_an_encoding_that_was_not_offered_is_internal():
    assert compression_of(wire.offer(), "gzip").name == "gzip"
    with pytest.raises(ConnectError, match="'lzma', accepted are gzip, br") as caught:
        compression_of(wire.offer(), "lzma")
    assert caught.value.code is Code.INTERNAL
