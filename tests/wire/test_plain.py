"""Plain calls: what is one, and what is left to an exchange."""

from __future__ import annotations

import pytest
from support.wire import offer

from dynconnect.wire.choose import Chooser

GRPC, CONNECT = b"application/grpc", b"application/proto"
FRAME = b"\0\0\0\0\x02hi"


def plain(kind, **options):
    return Chooser(offer(**options), ("proto", "json")).plain[kind]


def test_there_are_those_of_each_protocol_and_codec():
    found = {kind: (each.protocol, each.codec) for kind, each in plain_table().items()}
    assert found == {
        b"application/proto": ("connect", "proto"),
        b"application/json": ("connect", "json"),
        b"application/grpc": ("grpc", "proto"),
        b"application/grpc+proto": ("grpc", "proto"),
        b"application/grpc+json": ("grpc", "json"),
        b"application/grpc-web": ("grpcweb", "proto"),
        b"application/grpc-web+proto": ("grpcweb", "proto"),
        b"application/grpc-web+json": ("grpcweb", "json"),
    }


def plain_table():
    return Chooser(offer(), ("proto", "json")).plain


@pytest.mark.parametrize("kind", [GRPC, b"application/grpc-web"])
def test_g6_one_whole_frame_is_a_plain_request(kind):
    assert plain(kind).ask({}, FRAME) == (b"hi", None)
    for odd in (b"", FRAME[:-1], FRAME + b".", FRAME * 2, b"\1" + FRAME[1:], b"\x80" + FRAME[1:], FRAME[:4]):
        assert plain(kind).ask({}, odd) is None, odd


def test_any_body_is_a_plain_connect_request():
    assert plain(CONNECT).ask({}, b"") == (b"", None)
    assert plain(CONNECT).ask({}, b"hi") == (b"hi", None)


@pytest.mark.parametrize(("kind", "body"), [(CONNECT, b"12345"), (GRPC, b"\0\0\0\0\x0512345")])
def test_a_request_above_the_limit_is_not_plain(kind, body):
    assert plain(kind, read_max_bytes=5).ask({}, body) is not None
    assert plain(kind, read_max_bytes=4).ask({}, body) is None


@pytest.mark.parametrize(
    ("kind", "name", "value", "expected"),
    [
        (GRPC, b"grpc-timeout", b"2S", 2.0),
        (CONNECT, b"connect-timeout-ms", b"1500", 1.5),
        (GRPC, b"grpc-timeout", b"soon", None),
        (CONNECT, b"connect-timeout-ms", b"soon", None),
    ],
)
def test_t1_a_timeout_is_read_and_a_wrong_one_is_not_plain(kind, name, value, expected):
    asked = plain(kind).ask({name: value}, FRAME)
    assert (None if asked is None else asked.timeout) == expected


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        (GRPC, {b"grpc-encoding": b"gzip"}),
        (CONNECT, {b"content-encoding": b"gzip"}),
        (CONNECT, {b"connect-protocol-version": b"2"}),
        (b"application/grpc-web", {b"accept": b"application/grpc-web-text"}),
    ],
)
def test_what_an_exchange_has_to_see_to_is_not_plain(kind, headers):
    assert plain(kind).ask(headers, FRAME) is None


def test_r9_where_the_version_must_be_named_a_plain_request_names_it():
    strict = plain(CONNECT, require_version=True)
    assert strict.ask({}, b"") is None
    headers = {b"connect-protocol-version": b"1"}
    assert strict.ask(headers, b"") is not None
    assert strict.tell(headers, b"hi") is not None


def test_an_answer_has_the_head_of_an_exchange():
    head, body, trailers = plain(CONNECT, compressions={}).tell({}, b"hi")
    assert (dict(head), body) == ({b"content-type": b"application/proto", b"content-length": b"2"}, b"hi")
    assert trailers is None
    head, body, trailers = plain(GRPC, compressions={}).tell({}, b"hi")
    assert (dict(head), body) == ({b"content-type": b"application/grpc+proto"}, FRAME)
    assert trailers == ((b"grpc-status", b"0"),)
    _, body, trailers = plain(b"application/grpc-web", compressions={}).tell({}, b"hi")
    assert body == FRAME + b"\x80\0\0\0\x10grpc-status: 0\r\n"
    assert trailers is None


def test_c9_an_answer_that_is_worth_packing_is_not_plain():
    grpc = plain(GRPC, compress_min_bytes=3)
    accepts = {b"grpc-accept-encoding": b"gzip"}
    assert (b"grpc-encoding", b"gzip") in grpc.tell(accepts, b"hi").head
    assert grpc.tell(accepts, b"hi!") is None
    assert grpc.tell({b"grpc-accept-encoding": b"identity"}, b"hi!") is not None


def test_an_answer_above_the_limit_is_not_plain():
    assert plain(GRPC, send_max_bytes=2).tell({}, b"hi") is not None
    assert plain(GRPC, send_max_bytes=2).tell({}, b"hi!") is None


def test_accept_strings_that_clients_make_up_are_not_kept_for_ever():
    grpc = plain(GRPC)
    for number in range(1000):
        assert grpc.tell({b"grpc-accept-encoding": b"x%d, gzip" % number}, b"hi") is not None
    assert len(grpc._heads) <= 64
