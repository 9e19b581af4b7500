from __future__ import annotations

import base64

import pytest
from support import wire

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.base64_text import Decoder

PARTS = [
    pytest.param([b"abc", b"def"], id="no padding"),
    pytest.param([b"a", b"b", b"c"], id="padding after every byte"),
    pytest.param([b"ab", b"", b"cdefg", b"h"], id="padding of both lengths in the middle"),
    pytest.param([b"\xff\xfe\xfb" * 20, b"\0"], id="every character of the alphabet"),
    pytest.param([], id="nothing"),
]


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 7, 1000])
@pytest.mark.parametrize("parts", PARTS)
def test_w5_chunks_encoded_on_their_own_are_read_wherever_they_are_cut(parts, step):
    text = b"".join(map(base64.b64encode, parts))
    decoder = Decoder()
    found = b"".join(decoder.feed(chunk) for chunk in wire.pieces(text, step))
    assert found + decoder.close() == b"".join(parts)


@pytest.mark.parametrize("text", [b"YQ", b"YWI", b"YWJjYQ"])
def test_w5_padding_may_be_missing_at_the_end(text):
    decoder = Decoder()
    plain = decoder.feed(text) + decoder.close()
    assert base64.b64encode(plain).rstrip(b"=") == text


BROKEN = [
    pytest.param(b"Y===", id="one character"),
    pytest.param(b"Y", id="one character without padding"),
    pytest.param(b"Y=Q=", id="padding inside a group"),
    pytest.param(b"=YQ=", id="padding at the start of a group"),
    pytest.param(b"YQ==YQ=a", id="more after padding in a later group"),
    pytest.param(b"YWJj\r\n", id="a line end"),
    pytest.param(b"Y!Jj", id="a character of no alphabet"),
    pytest.param(b"YQ==!!!!YQ==", id="a group of no alphabet after padding"),
    pytest.param(b"\0\0\0\0\2hi", id="no text at all"),
]


@pytest.mark.parametrize("step", [1, 4, 1000])
@pytest.mark.parametrize("text", BROKEN)
def test_w5_what_is_no_base64_is_invalid(text, step):
    decoder = Decoder()
    with pytest.raises(ConnectError, match="not base64") as caught:
        [decoder.feed(chunk) for chunk in wire.pieces(text, step)] + [decoder.close()]
    assert caught.value.code is Code.INVALID_ARGUMENT
