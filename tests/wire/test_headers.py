from __future__ import annotations

import pytest

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.headers import outgoing

CARRIED = [
    pytest.param("x-a", "printable ~!@#$%^&*()[]{}", id="printable ASCII"),
    pytest.param("x_a.b-9", "", id="every kind of character in a name, no value"),
    pytest.param("x-a", "tab\tinside", id="a tab"),
    pytest.param("x-a", "caf\xe9", id="latin-1"),
    pytest.param("x-a", "\u20ac".encode().decode("latin-1"), id="UTF-8 as HTTP hands it over"),
]


@pytest.mark.parametrize(("name", "value"), CARRIED)
def test_d1_d6_what_a_request_may_bring_may_go_out(name, value):
    assert outgoing(Metadata({name: value})) == ((name, value),)


REFUSED = [
    pytest.param("x-a", "a\r\nb: c", id="CR and LF in a value"),
    pytest.param("x-a", "a\nb", id="LF in a value"),
    pytest.param("x-a", "a\rb", id="CR in a value"),
    pytest.param("x-a", "a\n", id="LF at the end of a value"),
    pytest.param("x-a", "a\0b", id="NUL in a value"),
    pytest.param("x-a", "a\x1bb", id="an escape in a value"),
    pytest.param("x-a", "a\x7fb", id="DEL in a value"),
    pytest.param("x-a", "\u20ac", id="a value beyond latin-1"),
    pytest.param("x-a", b"bytes", id="bytes for a value"),
    pytest.param("x-a", 7, id="a number for a value"),
    pytest.param("x-a", None, id="None for a value"),
    pytest.param("x a", "v", id="a blank in a name"),
    pytest.param("x-a\r\nx-b", "v", id="CR and LF in a name"),
    pytest.param("x-a\n", "v", id="LF at the end of a name"),
    pytest.param("x-a\0", "v", id="NUL in a name"),
    pytest.param("x:a", "v", id="a colon in a name"),
    pytest.param("x-\xe9", "v", id="a name beyond ASCII"),
    pytest.param("", "v", id="no name"),
    pytest.param(":", "v", id="a colon for a name"),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_d1_what_http_can_not_carry_is_internal_and_taken_out(name, value):
    metadata = Metadata([("x-good", "1"), (name, value), ("x-good", "2")])
    with pytest.raises(ConnectError, match="can't carry") as caught:
        outgoing(metadata)
    assert caught.value.code is Code.INTERNAL
    assert outgoing(metadata) == (("x-good", "1"), ("x-good", "2")), "the error itself could not go out"


def test_d1_every_bad_name_is_taken_out_at_once():
    metadata = Metadata([("x-a", "\n"), ("x-b", "\n"), ("X-A", "\n")])
    with pytest.raises(ConnectError, match="'x-a'"):
        outgoing(metadata)
    assert outgoing(metadata) == ()


RESERVED = [
    "content-type",
    "content-length",
    "content-encoding",
    "accept-encoding",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "host",
    "date",
    "user-agent",
    "grpc-status",
    "grpc-anything",
    "connect-anything",
    ":status",
]


@pytest.mark.parametrize("name", [*RESERVED, *(name.title() for name in RESERVED)])
def test_d4_p11_k7_reserved_names_are_dropped(name):
    assert outgoing(Metadata([("x-a", "1"), (name, "v"), ("x-b", "2")])) == (("x-a", "1"), ("x-b", "2"))


@pytest.mark.parametrize(
    "name", ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]
)
def test_d5_no_hop_by_hop_header_goes_out(name):
    assert outgoing(Metadata({name: "v"})) == ()


@pytest.mark.parametrize("name", ["grpc", "connect", "hostname", "contents", "x-grpc-status", "trailers"])
def test_d4_names_that_only_look_like_reserved_ones_pass(name):
    assert outgoing(Metadata({name: "v"})) == ((name, "v"),)


def test_d4_a_caller_may_reserve_one_more_prefix():
    metadata = Metadata({"trailer-x": "1", "x-trailer-": "2"})
    assert outgoing(metadata, reserved_prefix="trailer-") == (("x-trailer-", "2"),)
    assert outgoing(metadata) == (("trailer-x", "1"), ("x-trailer-", "2"))


def test_d2_repeated_names_keep_all_values_in_order():
    pairs = (("x-a", "1"), ("x-b", "2"), ("x-a", "3"), ("x-a", "1"))
    assert outgoing(Metadata(pairs)) == pairs


@pytest.mark.parametrize(
    ("value", "expected"), [("YQ==", "YQ"), ("YWI=", "YWI"), ("YWJj", "YWJj"), (" YQ== ", "YQ")]
)
def test_d3_k2_binary_values_go_out_without_padding(value, expected):
    assert outgoing(Metadata({"x-a-bin": value, "x-a": "YQ=="})) == (("x-a-bin", expected), ("x-a", "YQ=="))


@pytest.mark.parametrize("value", [" v", "v ", "\tv\t", "  v  "])
def test_d1_blanks_round_a_value_are_dropped(value):
    # h11 refuses to send them, and the call with them.
    assert outgoing(Metadata({"x-a": value})) == (("x-a", "v"),)
