"""Request heads: HPACK blocks decoded, checked and remembered.

A client repeats its heads, and once the HPACK tables are warm the same head is the same block. So a decoded
head is kept under its block for as long as the dynamic table stays what it was.
Sources: RFC 9113 sections 8.2, 8.3 and 8.5; RFC 7541.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from hpack import Decoder, HPACKError
from hpack.table import HeaderTable

from dynconnect.server.http2.fields import CONNECTION_SPECIFIC, bad_value, is_name
from dynconnect.server.http2.frames import Code, FatalError, StreamError
from dynconnect.server.http2.limits import Limits

Pair = tuple[bytes, bytes]

_MAX_CACHED = 2048  # bytes of a block that is remembered
_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})
# Controls and space: a target with them could be read as something else further on.
_bad_target = re.compile(rb"[\0-\x20\x7f]").search
_METHODS = {name.encode(): name for name in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")}


class Head(NamedTuple):
    """A request as its HEADERS say it; ``content_length`` is None if it is not announced."""

    method: str
    path: str
    raw_path: bytes
    query: bytes
    headers: tuple[Pair, ...]
    content_length: int | None


class RefusedError(Exception):
    """A request that gets *status* for an answer, and no application."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Table(HeaderTable):
    """The dynamic table, with a number that changes whenever its contents may have."""

    def __init__(self) -> None:
        super().__init__()
        self.generation = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.generation += 1
        super().add(name, value)


class Heads:
    """One connection's decoder. Every block must pass here, in order, wanted or not (RFC 7541, 2.2)."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # Inflating goes on a little above the limit, so that the table stays right and 431 can be said.
        self._decoder = Decoder(max_header_list_size=2 * limits.header_list_bytes)
        self._table = self._decoder.header_table = _Table()
        self._known: dict[bytes, Head] = {}

    def request(self, block: bytes) -> Head:
        """The request head in *block*.

        Raises:
            FatalError: if the block cannot be decoded.
            StreamError: PROTOCOL_ERROR if the request is malformed (section 8.1.1).
            RefusedError: if it is well-formed, but too large or a CONNECT.
        """
        known = self._known.get(block)
        if known is not None:
            return known
        generation = self._table.generation
        fields = self.decode(block)
        self._check_size(fields)
        found = _request(fields)
        if generation == self._table.generation and len(block) <= _MAX_CACHED:
            if len(self._known) >= self._limits.cached_heads:
                self._known.clear()  # heads that differ in each call must not keep out those that don't
            self._known[block] = found
        return found

    def trailers(self, block: bytes) -> None:
        """Checks a trailer section (section 8.1); ASGI has no place for it. Raises as ``request`` does."""
        fields = self.decode(block)
        self._check_size(fields)
        for name, value in fields:
            if name[:1] == b":":
                raise StreamError(Code.PROTOCOL_ERROR, f"pseudo-header {name!r} in trailers")
            _check_field(name, value)

    def decode(self, block: bytes) -> list[Pair]:
        """The fields of *block*, unchecked."""
        generation = self._table.generation
        if block and block[0] & 0xE0 == 0x20:  # a size update, which may evict (RFC 7541, 6.3)
            self._table.generation += 1
        try:
            fields = self._decoder.decode(block, raw=True)
        except HPACKError as exc:
            raise FatalError(Code.COMPRESSION_ERROR, f"header block: {exc}") from exc
        if self._known and generation != self._table.generation:
            self._known.clear()
        return fields  # type: ignore[return-value]  # raw=True is bytes

    def _check_size(self, fields: list[Pair]) -> None:
        size = sum(len(name) + len(value) + 32 for name, value in fields)  # section 6.5.2
        if size > self._limits.header_list_bytes or len(fields) > self._limits.header_count:
            raise RefusedError(431)


def upgraded(method: str, target: bytes, headers: Iterable[Pair]) -> Head:
    """The head of an HTTP/1.1 request that becomes stream 1 (RFC 7540, 3.2)."""
    fields = [(b":method", method.encode()), (b":scheme", b"http"), (b":path", target)]
    pairs = [(name.lower(), value) for name, value in headers]
    return _request(
        fields + [pair for pair in pairs if pair[0] not in CONNECTION_SPECIFIC and pair[0] != b"te"]
    )


def _request(fields: list[Pair]) -> Head:
    """The request that *fields* make; raises StreamError for what section 8.1.1 calls malformed."""
    pseudo: dict[bytes, bytes] = {}
    regular: list[Pair] = []
    for name, value in fields:
        if name[:1] != b":":
            _check_field(name, value)
            regular.append((name, value))
            continue
        if regular:
            raise StreamError(Code.PROTOCOL_ERROR, "pseudo-header after a regular one (RFC 9113, 8.3)")
        if name not in _PSEUDO or name in pseudo or bad_value(value):
            raise StreamError(Code.PROTOCOL_ERROR, f"pseudo-header {name!r} is unknown, repeated or invalid")
        pseudo[name] = value
    _check_pseudo(pseudo)
    path, _, query = pseudo[b":path"].partition(b"?")
    method = pseudo[b":method"]
    return Head(
        method=_METHODS.get(method) or method.decode("latin-1"),
        path=unquote(path.decode("utf-8", "replace")),
        raw_path=path,
        query=query,
        headers=_headers(pseudo.get(b":authority"), regular),
        content_length=_content_length(regular),
    )


def _check_pseudo(pseudo: dict[bytes, bytes]) -> None:
    """Section 8.3.1, and 8.5 for CONNECT."""
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if not is_name(method.lower()):
        raise StreamError(Code.PROTOCOL_ERROR, f":method is missing or invalid: {method!r}")
    if method == b"CONNECT":
        if b":authority" not in pseudo or len(pseudo) > 2:
            raise StreamError(Code.PROTOCOL_ERROR, "CONNECT without :authority, or with more (8.5)")
        raise RefusedError(501)  # no proxy in here, and nothing for a tunnel to carry
    if not pseudo.get(b":scheme"):
        raise StreamError(Code.PROTOCOL_ERROR, ":scheme is missing")
    absolute = path[:1] == b"/" or (path == b"*" and method == b"OPTIONS")
    if not absolute or _bad_target(path):
        raise StreamError(Code.PROTOCOL_ERROR, f":path is missing or invalid: {path!r}")


def _check_field(name: bytes, value: bytes) -> None:
    """Sections 8.2.1 and 8.2.2."""
    if not is_name(name) or bad_value(value):
        raise StreamError(Code.PROTOCOL_ERROR, f"field {name!r}: {value!r} is not valid")
    if name in CONNECTION_SPECIFIC or (name == b"te" and value.lower() != b"trailers"):
        raise StreamError(Code.PROTOCOL_ERROR, f"field {name!r}: {value!r} has no place in HTTP/2")


def _headers(authority: bytes | None, regular: list[Pair]) -> tuple[Pair, ...]:
    """What the application sees: ``host`` first, from ``:authority`` (8.3.1), and one ``cookie`` (8.2.3)."""
    hosts = [value for name, value in regular if name == b"host"]
    if authority is not None:
        hosts.insert(0, authority)
    if any(host.lower() != hosts[0].lower() for host in hosts):
        raise StreamError(Code.PROTOCOL_ERROR, f"two authorities: {hosts}")
    found = [(b"host", host) for host in hosts[:1]]
    found += [pair for pair in regular if pair[0] not in (b"host", b"cookie")]
    if cookies := [value for name, value in regular if name == b"cookie"]:
        found.append((b"cookie", b"; ".join(cookies)))
    return tuple(found)


def _content_length(fields: Iterable[Pair]) -> int | None:
    """Digits only; repeated, it must repeat itself (RFC 9110, section 8.6)."""
    values = {value for name, value in fields if name == b"content-length"}
    if not values:
        return None
    value = values.pop()
    if values or not value.isdigit() or len(value) > 18:
        raise StreamError(Code.PROTOCOL_ERROR, f"content-length {value!r} is repeated or invalid")
    return int(value)
