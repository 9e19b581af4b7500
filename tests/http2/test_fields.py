"""Blocks that we write, read back by hpack, and what is kept of them."""

import pytest
from hpack import Decoder

from dynconnect.server.http2 import fields

DATE = (b"date", b"Sun, 06 Nov 1994 08:49:37 GMT")
"""The example of RFC 9110, section 5.6.7."""


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(fields, "time", lambda: 784111777.9)


SIZES = [0, 1, 126, 127, 128, 254, 255, 256, 16384, 100_000]


def decoded(block):
    return [(bytes(n), bytes(v)) for n, v in Decoder(max_header_list_size=1 << 20).decode(block, raw=True)]


@pytest.mark.parametrize("size", SIZES)
def test_values_of_every_length_are_read_back(size):
    block, _ = fields.response_head(200, [(b"x", b"v" * size)])
    assert decoded(block) == [(b":status", b"200"), (b"x", b"v" * size), DATE]


@pytest.mark.parametrize("status", [200, 204, 206, 201, 304, 400, 404, 418, 500, 503, 999])
def test_statuses_are_read_back(status):
    assert decoded(fields.response_head(status, [])[0]) == [(b":status", b"%d" % status), DATE]


def test_no_block_touches_the_readers_table():
    decoder = Decoder()
    for number in range(100):
        decoder.decode(fields.response_head(200, [(b"x-%d" % number, b"y")])[0])
        decoder.decode(fields.trailers([(b"grpc-status", b"%d" % number)]))
    assert not decoder.header_table.dynamic_entries


def test_secrets_are_never_to_be_indexed_by_anyone():
    block = fields.trailers([(b"set-cookie", b"s=1"), (b"x", b"y")])
    secret, plain = Decoder().decode(block, raw=True)
    assert (secret.indexable, plain.indexable) == (False, True)


@pytest.mark.parametrize(
    ("headers", "length"),
    [([], None), ([(b"content-length", b"0")], 0), ([(b"content-length", b"12"), (b"x", b"y")], 12)],
)
def test_the_announced_length_is_told(headers, length):
    assert fields.response_head(200, headers)[1] == length


def test_the_same_head_is_encoded_once_and_heads_that_differ_take_a_bounded_place():
    first = fields.response_head(200, [(b"x-kept", b"y"), DATE])[0]
    assert fields.response_head(200, ((b"x-kept", b"y"), DATE))[0] is first
    for number in range(2000):
        fields.response_head(200, [(b"x-request-id", b"%d" % number)])
    assert len(fields._heads) <= 512
    assert fields.response_head(200, [(b"x-kept", b"y"), DATE])[0] == first


def test_large_heads_are_not_kept():
    before = len(fields._heads)
    fields.response_head(200, [(b"x-large", b"v" * 5000)])
    assert len(fields._heads) <= before


def test_a_date_of_the_application_is_the_only_one():
    mine = (b"date", b"Mon, 07 Nov 1994 08:49:37 GMT")
    assert decoded(fields.response_head(200, [mine])[0]) == [(b":status", b"200"), mine]


def test_the_date_is_that_of_the_second(monkeypatch):
    now = 784111777.0
    monkeypatch.setattr(fields, "time", lambda: now)
    first = fields.date_field()
    now += 0.9
    assert fields.date_field() is first, "it is made once a second"
    now += 0.1
    assert decoded(fields.date_field()) == [(b"date", b"Sun, 06 Nov 1994 08:49:38 GMT")]


def test_a_trailer_section_has_no_status():
    assert decoded(fields.trailers([(b"grpc-status", b"0")])) == [(b"grpc-status", b"0")]
