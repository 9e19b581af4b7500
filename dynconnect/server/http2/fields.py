"""Response heads and trailers as HPACK: literals without a table, so that a block is encoded once for all.

The dynamic table would save bytes of the wire and cost a table walk for every field of every call; blocks
without it are the same on every connection and are kept ready. An intermediary may still index them, except
for those that carry secrets (RFC 7541, section 7.1.3).
Sources: RFC 7541 sections 5.1, 5.2, 6.2.2 and 6.2.3; RFC 9113 sections 8.2 and 8.3.2.
"""

import re
from collections.abc import Iterable, Sequence
from email.utils import formatdate
from time import time

Fields = Iterable[Sequence[bytes]]

_MAX_CACHED = 512
_MAX_CACHED_BYTES = 2048
_heads: dict[tuple[int, tuple[Sequence[bytes], ...]], tuple[bytes, int | None, bool]] = {}
_date = (0, b"")  # the second and the field of the last head

# RFC 7541, Appendix A: a literal without indexing whose name is number 33, ``date``.
_DATE = b"\x0f\x12"

# RFC 7541, Appendix A: statuses with a place in the static table.
_STATUS = {200: b"\x88", 204: b"\x89", 206: b"\x8a", 304: b"\x8b", 400: b"\x8c", 404: b"\x8d", 500: b"\x8e"}
_SECRET = frozenset({b"set-cookie", b"authorization", b"proxy-authorization", b"proxy-authenticate"})
# Section 8.2.2: they belong to HTTP/1.1's connection and make a message malformed here.
CONNECTION_SPECIFIC = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"http2-settings"}
)
# Section 8.2.1; names are RFC 9110's tokens in lower case.
is_name = re.compile(rb"[a-z0-9!#$%&'*+\-.^_`|~]+").fullmatch
bad_value = re.compile(rb"[\0\r\n]|^[ \t]|[ \t]\Z").search


def response_head(status: int, headers: Fields) -> tuple[bytes, int | None]:
    """The block of a response's head, and the ``content-length`` that it announces.

    It has a ``date``, ours if the application has none (RFC 9110, section 6.6.1).

    Raises:
        ValueError: for what must not reach the wire.
        TypeError: if a name or value is not bytes.
    """
    block, length, dated = _encoded(status, headers)
    return block if dated else block + date_field(), length


def date_field() -> bytes:
    """The field ``date``, of this second."""
    global _date
    second = int(time())
    if second != _date[0]:
        _date = second, _DATE + _string(formatdate(second, usegmt=True).encode())
    return _date[1]


def trailers(headers: Fields) -> bytes:
    """The block of a trailer section (section 8.1); raises as ``response_head`` does."""
    return _encoded(0, headers)[0]


def _encoded(status: int, headers: Fields) -> tuple[bytes, int | None, bool]:
    """The block, the length that it announces, and whether it has a date."""
    fields = tuple(headers)
    try:
        found = _heads.get((status, fields))
    except TypeError:  # pairs may be lists
        fields = tuple((name, value) for name, value in fields)
        found = _heads.get((status, fields))
    if found is None:
        found = _encode(status, fields)
        if len(found[0]) <= _MAX_CACHED_BYTES:
            if len(_heads) >= _MAX_CACHED:
                _heads.clear()  # heads that differ in each call must not keep out those that don't
            _heads[status, fields] = found
    return found


def _encode(status: int, headers: Fields) -> tuple[bytes, int | None, bool]:
    parts = [_status(status)] if status else []
    length, dated = None, False
    for name, value in headers:
        _check(name, value)
        dated |= name == b"date"
        if name == b"content-length":
            length = _length(value, length)
        parts.append((b"\x10" if name in _SECRET else b"\0") + _string(name) + _string(value))
    return b"".join(parts), length, dated


def _check(name: bytes, value: bytes) -> None:
    if not (isinstance(name, bytes) and isinstance(value, bytes)):
        raise TypeError(f"header {name!r}: name and value must be bytes")
    if not is_name(name):
        raise ValueError(f"header name {name!r} is not a token in lower case")
    if name in CONNECTION_SPECIFIC:
        raise ValueError(f"header {name!r} has no place in HTTP/2 (RFC 9113, 8.2.2)")
    if bad_value(value):
        raise ValueError(f"value of header {name!r} has CR, LF, NUL or outer white space: {value!r}")


def _length(value: bytes, before: int | None) -> int:
    if not value.isdigit() or before not in (None, int(value)):
        raise ValueError(f"invalid content-length {value!r}")
    return int(value)


def _status(status: int) -> bytes:
    # 101 is not for HTTP/2 (8.6), and the other 1xx are not final responses.
    if not 200 <= status <= 999:
        raise ValueError(f"status {status!r} is not of a final response")
    return _STATUS.get(status) or b"\x08\x03%d" % status  # index 8 is the name ":status"


def _string(data: bytes) -> bytes:
    """A string literal without Huffman coding, its length with a 7-bit prefix (RFC 7541, 5.1 and 5.2)."""
    size = len(data)
    if size < 127:
        return bytes((size,)) + data
    out = bytearray(b"\x7f")
    size -= 127
    while size >= 128:
        out.append(size & 127 | 128)
        size >>= 7
    out.append(size)
    return bytes(out) + data
