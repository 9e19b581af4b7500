"""HTTP without I/O: one request, and the events of its answer."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from dynconnect.rpc.metadata import Metadata

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Pairs in order, names in lower case; a tuple, so that a head may be prepared once and shared."""


class Request(NamedTuple):
    """The head of a request. *query* is raw, without its question mark."""

    method: str
    path: str
    headers: Metadata
    query: str = ""
    http_version: str = "1.1"


class Response(NamedTuple):
    """The head of an answer."""

    status: int
    headers: Headers = ()


class Data(NamedTuple):
    """A piece of the body, to be sent at once."""

    data: bytes


class End(NamedTuple):
    """The end of the body, with the HTTP trailers if the protocol uses them."""

    trailers: Headers | None = None


Event: TypeAlias = Response | Data | End
