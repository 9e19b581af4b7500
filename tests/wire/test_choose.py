from __future__ import annotations

import pytest
from support import wire

from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.choose import Chooser
from dynconnect.wire.events import Request


@pytest.fixture(scope="module")
def chooser():
    return Chooser(wire.offer(), wire.CODECS)


def named(choice):
    return None if choice is None else (choice.protocol.name, choice.codec)


TYPES = [
    ("application/proto", "connect", "proto", "unary"),
    ("application/json", "connect", "json", "unary"),
    ("application/connect+proto", "connect", "proto", "stream"),
    ("application/connect+json", "connect", "json", "stream"),
    ("application/grpc", "grpc", "proto", "both"),
    ("application/grpc+proto", "grpc", "proto", "both"),
    ("application/grpc+json", "grpc", "json", "both"),
    ("application/grpc-web", "grpcweb", "proto", "both"),
    ("application/grpc-web+proto", "grpcweb", "proto", "both"),
    ("application/grpc-web+json", "grpcweb", "json", "both"),
    ("application/grpc-web-text", "grpcweb", "proto", "both"),
    ("application/grpc-web-text+proto", "grpcweb", "proto", "both"),
]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(("kind", "protocol", "codec", "shape"), TYPES)
def test_r3_r5_a_content_type_names_protocol_and_codec(chooser, kind, protocol, codec, shape, streaming):
    fits = shape == "both" or streaming == (shape == "stream")
    assert named(chooser.post(kind, streaming=streaming)) == ((protocol, codec) if fits else None)


SPELLINGS = [
    ("Application/JSON", "application/json"),
    ("  application/json\t", "application/json"),
    ("application/json; charset=utf-8", "application/json"),
    ("application/json;charset=UTF-8", "application/json"),
    ('application/json ; Charset="utf-8"', "application/json"),
    ("APPLICATION/GRPC+PROTO", "application/grpc+proto"),
    ("application/grpc+json; charset=utf-8", "application/grpc+json"),
    ("application/grpc-web-text ", "application/grpc-web-text"),
]


@pytest.mark.parametrize(("spelt", "plain"), SPELLINGS)
def test_r2_case_blanks_and_the_charset_of_json_do_not_matter(chooser, spelt, plain):
    assert chooser.post(spelt, streaming=False) == chooser.post(plain, streaming=False) is not None


UNKNOWN = [
    "",
    "application/foo",
    "image/jpeg",
    "application/grpc+foo",
    "application/grpc-web+foo",
    "application/connect",
    "application/connect+foo",
    "application/grpcfoo",
    "application/json; charset=latin-1",
    "application/json; charset=utf-8; version=2",
    "application/proto; charset=utf-8",
    "text/json",
    "json",
    ";",
]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", UNKNOWN)
def test_r2_r5_r6_any_other_content_type_is_nobodys(chooser, kind, streaming):
    assert chooser.post(kind, streaming=streaming) is None


def test_r5_every_accepted_type_is_listed_and_is_accepted(chooser):
    for streaming in (False, True):
        listed = chooser.accepted(streaming=streaming).split(", ")
        assert len(listed) == len(set(listed)) == 11
        assert all(chooser.post(kind, streaming=streaming) for kind in listed)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application/grpc", "grpc"),
        ("application/grpc+json", "grpc"),
        ("Application/grpc-web-text", "grpcweb"),
        ("application/proto", None),
        ("application/json; charset=utf-8", None),
        ("application/connect+json", None),
        ("image/jpeg", None),
    ],
)
def test_r8_only_grpc_and_grpc_web_can_say_that_a_method_does_not_exist(chooser, kind, expected):
    found = chooser.without_method(kind)
    assert (found and found.protocol.name) == expected


GETS = [
    ("encoding=proto&message=", ("connect", "proto")),
    ("message=%7B%7D&encoding=json&x=y", ("connect", "json")),
    ("encoding=json&encoding=foo", ("connect", "json")),
    ("encoding=foo&encoding=json", None),
    ("message=", None),
    ("", None),
    ("encoding=", None),
    ("encoding=PROTO", None),
    ("encoding=%FF", None),
]


@pytest.mark.parametrize(("query", "expected"), GETS)
def test_g1_g3_a_get_is_connects_if_it_names_a_known_codec(chooser, query, expected):
    assert named(chooser.get(query)) == expected


@pytest.mark.parametrize(("kind", "protocol", "codec", "shape"), TYPES)
def test_r15_a_choice_opens_an_exchange_that_needs_no_other_header(chooser, kind, protocol, codec, shape):
    streaming = shape != "unary"
    request = wire.post(kind)
    exchange = chooser.post(kind, streaming=streaming).open(request, streaming=streaming)
    exchange.start()
    assert (exchange.codec, exchange.timeout) == (codec, None)


def test_g1_a_chosen_get_is_opened_as_one(chooser):
    request = Request("GET", wire.PATH, Metadata(), "encoding=proto&message=hi")
    exchange = chooser.get(request.query).open(request, streaming=False)
    exchange.start()
    assert wire.read(exchange, b"") == [b"hi"]


@pytest.mark.parametrize("streaming", [False, True])
def test_only_grpc_needs_trailers(chooser, streaming):
    needs = {
        kind: chooser.post(kind, streaming=streaming).protocol.needs_trailers
        for kind in chooser.accepted(streaming=streaming).split(", ")
    }
    assert {kind for kind, need in needs.items() if need} == {
        "application/grpc",
        "application/grpc+proto",
        "application/grpc+json",
    }
