"""Metadata on its way out: what may stand in an HTTP header, and what is not a handler's to set.

Sources: RFC 9110, 5.5 (field values); gRPC over HTTP/2, "Custom-Metadata".
"""

from __future__ import annotations

import re

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.metadata import Metadata
from dynconnect.wire.events import Headers

_NAME = re.compile(r"[0-9a-z_.\-!#$&'*+^`|~]+")
# Printable ASCII is what the protocols allow. The upper half of latin-1, where the bytes of UTF-8 show
# up, is let through as well: a request may have brought it, and an echo of it must not fail the call.
_VALUE = re.compile(r"[\x20-\x7E\x80-\xFF\t]*")

_RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
_RESERVED_PREFIXES = ("grpc-", "connect-", ":")


def outgoing(metadata: Metadata, *, reserved_prefix: str = ":") -> Headers:
    """The pairs of *metadata* that may go out: binary values unpadded, blanks round a value dropped.

    Reserved names are dropped: they belong to the protocol, and a handler that copies all it got
    means no harm by them.

    Args:
        metadata: what the handler set. What HTTP can't carry is taken out of it.
        reserved_prefix: one more prefix to drop.

    Raises:
        ConnectError: INTERNAL if there was something that HTTP can't carry.
    """
    pairs = metadata.pairs
    if not pairs:
        return ()
    if bad := [name for name, value in pairs if not _can_be_carried(name, value)]:
        for name in set(bad):
            del metadata[name]
        raise ConnectError(Code.INTERNAL, f"metadata {bad[0]!r} has a name or a value that HTTP can't carry")
    prefixes = (*_RESERVED_PREFIXES, reserved_prefix)
    return tuple(
        (name, _trimmed(name, value))
        for name, value in pairs
        if name not in _RESERVED and not name.startswith(prefixes)
    )


def _trimmed(name: str, value: str) -> str:
    # Blanks round a value are none of it (RFC 9110, 5.5), and some servers kill a call that sends them.
    value = value.strip(" \t")
    return value.rstrip("=") if name.endswith("-bin") else value


def _can_be_carried(name: str, value: object) -> bool:
    # Handlers set values at run time, and not all of them run a type checker.
    text = isinstance(value, str) and _VALUE.fullmatch(value) is not None
    return text and _NAME.fullmatch(name.lstrip(":")) is not None
