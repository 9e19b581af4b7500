from __future__ import annotations

import base64

import pytest
from google.rpc.status_pb2 import Status

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError, ErrorDetail
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire import status

# Timeouts

TIMEOUTS = [
    ("", None),
    ("0n", 0.0),
    ("1n", 1e-9),
    ("1u", 1e-6),
    ("1m", 1e-3),
    ("1S", 1.0),
    ("1M", 60.0),
    ("1H", 3600.0),
    ("007S", 7.0),
    ("99999999H", 99999999 * 3600.0),
]


@pytest.mark.parametrize(("value", "seconds"), TIMEOUTS)
def test_t1_t2_a_timeout_is_digits_and_a_unit(value, seconds):
    assert status.parse_timeout(value) == seconds


BROKEN_TIMEOUTS = {
    "a plus": "+1S",
    "a minus": "-1S",
    "a blank before": " 1S",
    "a blank between": "1 S",
    "a blank after": "1S ",
    "only a blank": " ",
    "a fraction": "1.5S",
    "an exponent": "1e3S",
    "a ninth digit": "123456789n",
    "no unit": "1",
    "an unknown unit": "1s",
    "two units": "1mS",
    "no digits": "S",
    "digits of another script": "\u0661S",
    "a superscript": "\xb2S",
    "an underscore": "1_0S",
}


@pytest.mark.parametrize("value", BROKEN_TIMEOUTS.values(), ids=BROKEN_TIMEOUTS.keys())
def test_t1_any_other_timeout_is_invalid_and_quoted(value):
    with pytest.raises(ConnectError, match="grpc-timeout") as caught:
        status.parse_timeout(value)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert repr(value) in caught.value.message


ENCODED = [
    (0.0, "0n"),
    (-1.0, "0n"),
    (1e-9, "1n"),
    (0.05, "50000000n"),
    (1.0, "1000000u"),
    (3600.0, "3600000m"),
    (1e6, "1000000S"),
    (1e9, "16666666M"),
    (3600.0 * 99_999_999, "99999999H"),
    (1e300, "99999999H"),
    (float("inf"), "99999999H"),
]


@pytest.mark.parametrize(("seconds", "value"), ENCODED)
def test_t1_t2_a_timeout_is_written_in_the_finest_unit_that_fits(seconds, value):
    assert status.encode_timeout(seconds) == value


@pytest.mark.parametrize("seconds", [1e-9, 0.1, 0.3, 1.7, 59.999, 86400.1, 1e7])
def test_t4_a_written_timeout_is_never_longer_and_hardly_shorter(seconds):
    found = status.parse_timeout(status.encode_timeout(seconds))
    assert seconds * 0.999 < found <= seconds * (1 + 1e-12)


# Messages

MESSAGES = [
    pytest.param("plain text, ~ and !", "plain text, ~ and !", id="what is printable stays"),
    pytest.param("50%", "50%25", id="percent"),
    pytest.param("a\tb", "a%09b", id="tab"),
    pytest.param("a\nb\r", "a%0Ab%0D", id="newline"),
    pytest.param("\u00fc", "%C3%BC", id="u umlaut"),
    pytest.param("\U0001f600", "%F0%9F%98%80", id="emoji"),
    pytest.param("\0\x1f\x7f", "%00%1F%7F", id="the bytes just outside"),
    pytest.param("", "", id="nothing"),
]


@pytest.mark.parametrize(("message", "encoded"), MESSAGES)
def test_p3_messages_are_percent_encoded_in_upper_case_hex(message, encoded):
    assert status.percent_encode(message) == encoded
    assert status.percent_decode(encoded) == message


def test_p3_a_lone_surrogate_can_not_keep_an_error_from_being_sent():
    assert status.percent_encode("\ud800!") == "?!"


@pytest.mark.parametrize(("value", "expected"), [("%c3%bc", "\u00fc"), ("%zz%", "%zz%"), ("%FF", "\ufffd")])
def test_p3_reading_is_lenient(value, expected):
    assert status.percent_decode(value) == expected


# Outcomes


def test_p2_p3_success_is_zero_and_nothing_else():
    assert status.outcome(None) == (("grpc-status", "0"),)


@pytest.mark.parametrize("code", Code)
def test_p2_x7_a_failure_is_one_decimal_from_1_to_16(code):
    assert status.outcome(ConnectError(code)) == (("grpc-status", str(code.number)),)
    assert 1 <= code.number <= 16


DETAILS = [
    ErrorDetail("google.rpc.RetryInfo", b"\n\x02\x08\x05", debug={"retryDelay": "5s"}),
    ErrorDetail("no.one.knows.This", b"\xff\xff"),
]


def test_p4_x2_k2_details_are_a_status_with_the_same_code_and_message():
    trailers = dict(status.outcome(ConnectError(Code.NOT_FOUND, "g\u00fcnstig", DETAILS)))
    assert list(trailers) == ["grpc-status", "grpc-message", "grpc-status-details-bin"]
    text = trailers["grpc-status-details-bin"]
    assert "=" not in text
    found = Status.FromString(base64.b64decode(text + "=" * (-len(text) % 4)))
    assert (found.code, found.message) == (5, "g\u00fcnstig")
    assert [(detail.type_url, detail.value) for detail in found.details] == [
        ("type.googleapis.com/google.rpc.RetryInfo", b"\n\x02\x08\x05"),
        ("type.googleapis.com/no.one.knows.This", b"\xff\xff"),
    ]


def test_p4_k22_details_that_nobody_packed_are_left_out():
    assert "grpc-status-details-bin" not in dict(status.outcome(ConnectError(Code.ABORTED, "", [{"a": 1}])))


def test_p4_a_message_that_is_no_unicode_can_not_break_the_details():
    trailers = dict(status.outcome(ConnectError(Code.ABORTED, "\ud800", DETAILS)))
    assert trailers["grpc-message"] == "?"


@pytest.mark.parametrize("code", Code)
@pytest.mark.parametrize("message", ["", "g\u00fcnstig %\n"])
@pytest.mark.parametrize("details", [(), DETAILS], ids=["no details", "details"])
def test_p2_p3_p4_what_is_written_is_read_again(code, message, details):
    found = status.read_outcome(Metadata(status.outcome(ConnectError(code, message, details))))
    assert (found.code, found.message) == (code, message)
    assert [(one.type, one.value) for one in found.packed] == [(one.type, one.value) for one in details]


def test_p2_success_is_read_as_no_error():
    assert status.read_outcome(Metadata({"grpc-status": "0", "x-a": "1"})) is None


READ = [
    pytest.param({}, Code.INTERNAL, "no grpc-status", id="no trailers at all"),
    pytest.param({"grpc-message": "oops"}, Code.INTERNAL, "no grpc-status", id="a message without a status"),
    pytest.param({"grpc-status": "17", "grpc-message": "new"}, Code.UNKNOWN, "new", id="a number to come"),
    pytest.param({"grpc-status": "00"}, Code.UNKNOWN, "", id="zero written twice is not success"),
    pytest.param({"grpc-status": "-1"}, Code.UNKNOWN, "", id="a sign"),
    pytest.param({"grpc-status": "five"}, Code.UNKNOWN, "", id="a word"),
    pytest.param({"grpc-status": "\u0665"}, Code.UNKNOWN, "", id="a digit of another script"),
    pytest.param({"grpc-status": "9" * 5000}, Code.UNKNOWN, "", id="more digits than Python converts"),
]


@pytest.mark.parametrize(("trailers", "code", "message"), READ)
def test_x7_a_status_that_grpc_does_not_define_is_unknown(trailers, code, message):
    found = status.read_outcome(Metadata(trailers))
    assert found.code is code
    assert message in found.message


@pytest.mark.parametrize("value", ["!", "CA", "not base64 at all", "\xe9"])
def test_p4_k22_details_that_can_not_be_read_are_left_out(value):
    trailers = {"grpc-status": "5", "grpc-message": "m", "grpc-status-details-bin": value}
    found = status.read_outcome(Metadata(trailers))
    assert (found.code, found.message, found.details) == (Code.NOT_FOUND, "m", ())


def test_p4_d3_padded_details_are_read_too():
    data = base64.b64encode(
        Status(code=5, details=[{"type_url": "x/y/a.B", "value": b"v"}]).SerializeToString()
    )
    assert data.endswith(b"=")
    found = status.read_outcome(Metadata({"grpc-status": "5", "grpc-status-details-bin": data.decode()}))
    assert found.details == (ErrorDetail("a.B", b"v"),)


def test_trailing_metadata_is_what_the_status_did_not_put_there():
    trailers = Metadata(
        [("x-a", "1"), *status.outcome(ConnectError(Code.ABORTED, "m", DETAILS)), ("x-a", "2")]
    )
    assert status.without_outcome(trailers).allitems() == [("x-a", "1"), ("x-a", "2")]
