"""Which compressions there are, and how both sides of a call agree on one.

Sources: HTTP Semantics (RFC 9110), 8.4.1 and 12.5.3; gRPC, "Compression"; Connect,
"Content-Encoding".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Protocol

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.compressors import Brotli, Snappy, Zlib, Zstd

IDENTITY = "identity"


class Compression(Protocol):
    """A named way to make one message smaller."""

    @property
    def name(self) -> str:
        """As encoding headers spell it, in lower case."""

    def compress(self, data: bytes) -> bytes:
        """*data* packed."""

    def decompress(self, data: bytes, max_bytes: int) -> bytes:
        """*data* unpacked, which may take up to and including *max_bytes*.

        Raises:
            ConnectError: INVALID_ARGUMENT if *data* is corrupt, ends early or goes on after its end,
                RESOURCE_EXHAUSTED if it unpacks to more than *max_bytes*.
        """


def available() -> dict[str, Compression]:
    """The compressions whose packages are installed, by name, in the order to announce them."""
    every = (Zlib("gzip"), Brotli(), Zstd(), Zlib("deflate"), Snappy())
    return {compression.name: compression for compression in every if compression.installed()}


def negotiate(
    known: Mapping[str, Compression], sent: str, accepted: str | None
) -> tuple[Compression | None, Compression | None]:
    """The request's compression and the response's; None stands for identity.

    The response's is the first that the client accepts and we have; that may be ``identity``, which
    gRPC's C core puts first in every list.

    Args:
        known: compressions by lower-case name.
        sent: the header that names the request's; empty if there is none.
        accepted: the header that lists those the client can read. Without one (None) it reads what
            it writes.

    Raises:
        ConnectError: UNIMPLEMENTED if *sent* is not *known*, with the names that are (gRPC,
            "Compression", Test Cases).
    """
    request = _named(known, sent)
    if accepted is None:
        return request, request
    return request, next((known[name] for name in _names(accepted) if name in known), None)


def _named(known: Mapping[str, Compression], sent: str) -> Compression | None:
    name = sent.strip().lower()
    if name in ("", IDENTITY):
        return None
    if name not in known:
        supported = ", ".join((*known, IDENTITY))
        raise ConnectError(Code.UNIMPLEMENTED, f"unknown compression {sent!r}: supported are {supported}")
    return known[name]


_EXCLUDED = re.compile(r";\s*q\s*=\s*0(\.0*)?\s*(;|$)")


def _names(accepted: str) -> tuple[str, ...]:
    """The encodings in *accepted* up to identity. Weights do not reorder them, but 0 excludes."""
    parts = [part for part in accepted.lower().split(",") if not _EXCLUDED.search(part)]
    names = (part.partition(";")[0].strip() for part in parts)
    return tuple(takewhile(lambda name: name != IDENTITY, names))
