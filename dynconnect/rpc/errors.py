"""The one exception that crosses the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf.message import Message

from dynconnect.rpc.code import Code
from dynconnect.rpc.metadata import Metadata


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """A message that says more about an error, ready for any protocol.

    Attributes:
        type: the full name of the message, without a URL prefix.
        value: the message in protobuf's binary form.
        debug: the message as a JSON value, where its type is known; Connect shows it to people.
    """

    type: str
    value: bytes
    debug: object = None


Detail: TypeAlias = ErrorDetail | Message | Mapping[str, object]
"""A detail as its author writes it; a mapping names its type by the member ``@type``."""


class ConnectError(Exception):
    """A call that failed on purpose: everything in it is sent to the peer.

    Raise it anywhere in a handler or an interceptor. Any other exception reaches the peer as
    ``unknown`` with a fixed text, and its own text stays in the log.

    Args:
        code: why it failed.
        message: for people; any Unicode.
        details: messages, or mappings that name their type by ``@type``.
        metadata: sent as trailing metadata, after what the handler set.
    """

    def __init__(
        self,
        code: Code,
        message: str = "",
        details: Iterable[Detail] = (),
        *,
        metadata: Mapping[str, str] | Metadata | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.metadata = Metadata(metadata or ())

    @property
    def packed(self) -> list[ErrorDetail]:
        """The details that are ready for the wire, in order."""
        return [detail for detail in self.details if isinstance(detail, ErrorDetail)]

    def __str__(self) -> str:
        return f"{self.code.value}: {self.message}" if self.message else self.code.value
