from __future__ import annotations

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.wire.bare import Bare
from dynconnect.wire.compression import available


def bare(*, decompress=None, compress=None, **limits):
    body = Bare(Limits(**limits))
    body.decompress = available().get(decompress)
    body.compress = available().get(compress)
    return body


@pytest.mark.parametrize("step", [1, 3, 100])
@pytest.mark.parametrize(
    "message", [b"", b"hi", b"\0\0\0\0\2hi"], ids=["nothing", "a message", "no envelope is seen"]
)
def test_u1_the_whole_body_is_the_message(message, step):
    body = bare()
    for chunk in wire.pieces(message, step):
        body.feed(chunk)
    assert body.read() == message


@pytest.mark.parametrize("name", available())
def test_u2_a_packed_body_is_unpacked(name):
    data, encoding = bare(compress=name, compress_min_bytes=0).write(b"hello" * 50)
    assert encoding == name
    assert data != b"hello" * 50
    body = bare(decompress=name)
    body.feed(data)
    assert body.read() == b"hello" * 50


@pytest.mark.parametrize("name", available())
def test_u2_a_body_of_no_bytes_is_never_unpacked(name):
    assert bare(decompress=name).read() == b""


@pytest.mark.parametrize(("size", "encoding"), [(9, ""), (10, "gzip")])
def test_c4_a_message_below_the_threshold_stays_plain(size, encoding):
    assert bare(compress="gzip", compress_min_bytes=10).write(b"m" * size)[1] == encoding


def test_l1_the_limit_is_inclusive_and_no_more_than_it_is_held():
    body = bare(read_max_bytes=8)
    body.feed(b"12345678")
    assert body.read() == b"12345678"
    with pytest.raises(ConnectError, match="limit of 8") as caught:
        body.feed(b"9")
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert body.read() == b""


@pytest.mark.parametrize("name", available())
def test_l1_the_limit_is_on_the_unpacked_size(name):
    data, _ = bare(compress=name, compress_min_bytes=0).write(b"m" * 1000)
    assert bare(decompress=name, read_max_bytes=1000).unpack(data) == b"m" * 1000
    with pytest.raises(ConnectError) as caught:
        bare(decompress=name, read_max_bytes=999).unpack(data)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


def test_l2_a_packed_body_that_could_never_be_within_the_limit_is_not_gathered():
    body = bare(decompress="gzip", read_max_bytes=8)
    body.feed(b"m" * 100)
    with pytest.raises(ConnectError, match="limit of 8"):
        body.feed(b"m" * 1000)


def test_l1_a_message_that_came_by_another_way_is_held_to_the_limit():
    with pytest.raises(ConnectError) as caught:
        bare(read_max_bytes=8).unpack(b"123456789")
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("name", available())
def test_c5_a_body_that_can_not_be_unpacked_is_invalid(name):
    with pytest.raises(ConnectError) as caught:
        bare(decompress=name).unpack(b"nothing that was packed")
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_l4_a_message_over_the_limit_of_what_is_sent_is_refused():
    assert bare(send_max_bytes=3).write(b"abc") == (b"abc", "")
    with pytest.raises(ConnectError, match="limit of 3") as caught:
        bare(send_max_bytes=3).write(b"abcd")
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
