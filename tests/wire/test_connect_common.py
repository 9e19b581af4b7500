from __future__ import annotations

import base64
import json

import pytest

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.wire.connect_common import (
    check_version,
    encode_timeout,
    error_json,
    parse_timeout,
    read_error,
    to_json,
)

# Timeouts


@pytest.mark.parametrize(
    ("value", "seconds"), [("", None), ("0", 0.0), ("1", 0.001), ("0050", 0.05), ("9999999999", 9999999.999)]
)
def test_t1_t2_a_timeout_is_one_to_ten_digits_of_milliseconds(value, seconds):
    assert parse_timeout(value) == seconds


BROKEN_TIMEOUTS = {
    "a plus": "+1",
    "a minus": "-1",
    "a blank before": " 1",
    "a blank after": "1 ",
    "only a blank": " ",
    "a fraction": "1.5",
    "an exponent": "1e3",
    "an eleventh digit": "12345678901",
    "a unit": "1S",
    "digits of another script": "\u0661",
    "an underscore": "1_0",
}


@pytest.mark.parametrize("value", BROKEN_TIMEOUTS.values(), ids=BROKEN_TIMEOUTS.keys())
def test_t1_any_other_timeout_is_invalid_and_quoted(value):
    with pytest.raises(ConnectError, match="connect-timeout-ms") as caught:
        parse_timeout(value)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert repr(value) in caught.value.message


@pytest.mark.parametrize(
    ("seconds", "value"),
    [
        (0.0, "0"),
        (-1.0, "0"),
        (0.0009, "0"),
        (0.0019, "1"),
        (1.5, "1500"),
        (1e300, "9999999999"),
        (float("inf"), "9999999999"),
    ],
)
def test_t1_t4_a_written_timeout_is_never_longer_and_never_too_long_to_read(seconds, value):
    assert encode_timeout(seconds) == value
    parse_timeout(value)


# The version


@pytest.mark.parametrize("required", [False, True])
def test_r14_the_known_version_passes(required):
    check_version("the-header", "1", "1", required=required)


def test_r14_no_version_passes_unless_one_is_required():
    check_version("the-header", "", "1", required=False)
    with pytest.raises(ConnectError, match="the-header is missing: set it to '1'") as caught:
        check_version("the-header", "", "1", required=True)
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("value", ["2", "01", "v1", " 1"])
def test_r14_any_other_version_is_invalid(value, required):
    with pytest.raises(ConnectError, match="must be '1', got") as caught:
        check_version("the-header", value, "1", required=required)
    assert caught.value.code is Code.INVALID_ARGUMENT


# Errors

DETAIL = ErrorDetail("google.rpc.RetryInfo", b"\n\x02\x08\x05", debug={"retryDelay": "5s"})
UNKNOWN_DETAIL = ErrorDetail("no.one.knows.This", b"\xff\xfe\xfd\xfc")

WRITTEN = [
    pytest.param(ConnectError(Code.NOT_FOUND), {"code": "not_found"}, id="nothing but a code"),
    pytest.param(ConnectError(Code.CANCELED, "gone"), {"code": "canceled", "message": "gone"}, id="one l"),
    pytest.param(
        ConnectError(Code.ABORTED, "", [DETAIL, UNKNOWN_DETAIL, DETAIL]),
        {
            "code": "aborted",
            "details": [
                {"type": "google.rpc.RetryInfo", "value": "CgIIBQ", "debug": {"retryDelay": "5s"}},
                {"type": "no.one.knows.This", "value": "//79/A"},
                {"type": "google.rpc.RetryInfo", "value": "CgIIBQ", "debug": {"retryDelay": "5s"}},
            ],
        },
        id="details in order, unpadded, debug where it is known",
    ),
    pytest.param(
        ConnectError(Code.ABORTED, "", [{"x": 1}]), {"code": "aborted"}, id="a detail that nobody packed"
    ),
    pytest.param(
        ConnectError(Code.ABORTED, "", [ErrorDetail("a.B", b"", debug={})]),
        {"code": "aborted", "details": [{"type": "a.B", "value": "", "debug": {}}]},
        id="an empty debug is one",
    ),
]


@pytest.mark.parametrize(("error", "expected"), WRITTEN)
def test_x1_x2_k2_k3_k22_an_error_has_only_the_members_it_needs(error, expected):
    found = error_json(error)
    assert found == expected
    assert b"null" not in to_json(found)


@pytest.mark.parametrize("code", Code)
def test_x1_every_code_is_read_as_it_is_written(code):
    error = ConnectError(code, "m\u00fc\U0001f600", [DETAIL, UNKNOWN_DETAIL])
    found = read_error(json.loads(to_json(error_json(error))), Code.UNKNOWN)
    assert (found.code, found.message, found.details) == (code, error.message, error.details)


def test_x3_json_is_compact_utf_8():
    assert (
        to_json({"message": "gr\u00fc\U0001f600\n", "a": [1]})
        == '{"message":"gr\u00fc\U0001f600\\n","a":[1]}'.encode()
    )


def test_x3_a_lone_surrogate_can_not_keep_an_error_from_being_sent():
    assert json.loads(to_json({"message": "\ud800!"})) == {"message": "?!"}


READ = [
    pytest.param(None, "", (), id="null"),
    pytest.param([], "", (), id="a list"),
    pytest.param("not_found", "", (), id="a string"),
    pytest.param({}, "", (), id="nothing"),
    pytest.param({"message": "m"}, "m", (), id="no code"),
    pytest.param({"code": None, "message": None, "details": None}, "", (), id="nulls"),
    pytest.param({"code": "NOT_FOUND", "message": "m"}, "m", (), id="a code in capitals"),
    pytest.param({"code": 5, "message": "m"}, "m", (), id="a number for a code"),
    pytest.param({"code": ["not_found"], "message": {"a": 1}}, "{'a': 1}", (), id="wrong types"),
    pytest.param({"details": {"type": "a.B", "value": ""}}, "", (), id="details that are no list"),
    pytest.param(
        {"details": [None, 1, "x", {}, {"type": "a.B"}, {"value": "YQ"}, {"type": 1, "value": "YQ"}]},
        "",
        (),
        id="details that are none",
    ),
    pytest.param(
        {"details": [{"type": "a.B", "value": "Y"}, {"type": "a.B", "value": "\xe9"}]}, "", (), id="no base64"
    ),
    pytest.param({"details": [{"type": "a.B", "value": "!!!!"}]}, "", (), id="nothing of base64"),
    pytest.param(
        {
            "details": [
                {"type": "a.B", "value": "YQ==", "frob": 1},
                {"type": "a.C", "value": "YWI", "debug": 7},
            ]
        },
        "",
        (ErrorDetail("a.B", b"a"), ErrorDetail("a.C", b"ab", debug=7)),
        id="padding and members to come",
    ),
]


@pytest.mark.parametrize(("value", "message", "details"), READ)
def test_x8_an_error_without_a_known_code_has_that_of_its_surroundings(value, message, details):
    found = read_error(value, Code.DATA_LOSS)
    assert (found.code, found.message, found.details) == (Code.DATA_LOSS, message, details)


def test_x2_the_value_is_standard_base64_and_not_url_safe():
    (detail,) = error_json(ConnectError(Code.ABORTED, "", [UNKNOWN_DETAIL]))["details"]
    assert base64.b64decode(detail["value"] + "==", validate=True) == UNKNOWN_DETAIL.value
