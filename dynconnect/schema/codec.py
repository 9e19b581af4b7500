"""Codecs: messages to bytes and back.

Every exception of the libraries below becomes a ConnectError here, whatever a peer sends.
Sources: Connect protocol, "Message codecs"; Protocol Buffers, "ProtoJSON Format".
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, Protocol, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Error, Message

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError

FindClass = Callable[[str], type[Message] | None]
"""From the full name of a message to its class; None if there is none."""

MAX_DEPTH = 100
"""How deep messages may nest: protobuf's own limit for its binary form."""

FOREIGN = (
    Error,
    json_format.Error,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What protobuf and its JSON raise on bad input; all but the first two by oversight."""

_SHOWN = 300
"""How many characters of a library's text reach the peer: some of them quote the whole input."""


class Codec(Protocol):
    """One encoding of messages."""

    @property
    def name(self) -> str:
        """Its name in a content-type."""

    def encode(self, message: Message) -> bytes:
        """*message* in bytes, the same bytes each time.

        Raises:
            ConnectError: INTERNAL if it cannot be encoded.
        """

    def decode(self, data: bytes, cls: type[Message]) -> Message:
        """The *cls* in *data*.

        Raises:
            ConnectError: INVALID_ARGUMENT unless it is one; the text names the type.
        """


class Binary:
    """Protocol Buffers' binary form."""

    name = "proto"

    def encode(self, message: Message) -> bytes:
        """*message* in bytes, with sorted map keys."""
        try:
            return message.SerializeToString(deterministic=True)
        except (Error, ValueError) as exc:
            raise _cannot_encode(message, exc) from exc

    def decode(self, data: bytes, cls: type[Message]) -> Message:
        """The *cls* in *data*; fields that it does not know are kept."""
        try:
            message = cls.FromString(data)
        except (Error, ValueError) as exc:
            raise _cannot_decode(cls, exc) from exc
        return _complete(message)


class Json:
    """Protocol Buffers' JSON form. Members that a message does not know are ignored.

    Args:
        find_class: finds the types of Any.
    """

    name = "json"

    def __init__(self, find_class: FindClass) -> None:
        # json_format asks a pool for nothing but types by name.
        self._types = cast("DescriptorPool", _Types(find_class))

    def encode(self, message: Message) -> bytes:
        """*message* in UTF-8, compact, with sorted keys."""
        try:
            return _dumps(self.to_value(message))
        except FOREIGN as exc:
            raise _cannot_encode(message, exc) from exc

    def decode(self, data: bytes, cls: type[Message]) -> Message:
        """The *cls* in *data*; nothing at all is not a message."""
        if not data:
            raise _cannot_decode(cls, ValueError("zero-length JSON; an empty message is {}"))
        try:
            value = _loads(data)
            # The stub wants a bool; `_IgnoreMembers` says why it gets something subtler.
            ignore = cast("bool", _IgnoreMembers())
            message = json_format.ParseDict(
                value, cls(), ignore, descriptor_pool=self._types, max_recursion_depth=MAX_DEPTH
            )
        except FOREIGN as exc:
            raise _cannot_decode(cls, exc) from exc
        return _complete(message)

    def to_value(self, message: Message) -> object:
        """*message* as a JSON value in Python's types.

        Raises:
            Exception: any that json_format raises, when the type of an Any is not found for example.
        """
        return json_format.MessageToDict(message, descriptor_pool=self._types)


class _Types:
    """A stand-in for a pool that finds the types of several."""

    def __init__(self, find_class: FindClass) -> None:
        self._find_class = find_class

    def FindMessageTypeByName(self, name: str) -> Descriptor:  # noqa: N802  the pool's name for it
        cls = self._find_class(name)
        if cls is None:
            raise KeyError(name)
        # By its class, so that json_format need not make one with GetMessageClass, which recurses.
        return cast("Descriptor", cls.DESCRIPTOR)


class _IgnoreMembers:
    """True when json_format asks whether to ignore an unknown member, False for an unknown enum value.

    It has one switch for both, and only the first may be ignored. About an enum value it asks while
    it handles that very error.
    """

    def __bool__(self) -> bool:
        return not isinstance(sys.exception(), json_format.EnumStringValueParseError)


def _loads(data: bytes) -> Any:  # Any: a JSON value
    return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_constant)


def _dumps(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("an object has the same member twice")
    return found


def _no_constant(name: str) -> None:
    # Python's parser takes it; JSON has no such token, and protobuf writes it as a string.
    raise ValueError(f"{name} is not JSON")


def _complete(message: Message) -> Message:
    if not message.IsInitialized():
        missing = ", ".join(message.FindInitializationErrors())  # type: ignore[attr-defined]  # not in its stub
        raise _cannot_decode(type(message), ValueError(f"missing required fields: {missing}"))
    return message


def _cannot_encode(message: Message, exc: Exception) -> ConnectError:
    return ConnectError(Code.INTERNAL, f"cannot encode {message.DESCRIPTOR.full_name}: {_text(exc)}")


def _cannot_decode(cls: type[Message], exc: Exception) -> ConnectError:
    return ConnectError(Code.INVALID_ARGUMENT, f"cannot decode {cls.DESCRIPTOR.full_name}: {_text(exc)}")


def _text(exc: Exception) -> str:
    text = "nested too deep" if isinstance(exc, RecursionError) else str(exc)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
