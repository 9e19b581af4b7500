"""Codecs: messages to bytes and back.

Every exception of the libraries below becomes a ConnectError here, whatever a peer sends.
Sources: Connect protocol, "Message codecs"; Protocol Buffers, "ProtoJSON Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Error, Message

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.schema.json import document
from dynconnect.schema.json.decoder import Decoder
from dynconnect.schema.json.encoder import Encoder
from dynconnect.schema.json.errors import JsonError
from dynconnect.schema.json.fields import FindClass, descriptor_of, may_lack, reachable
from dynconnect.schema.json.options import JsonOptions
from dynconnect.schema.json.scalars import Inexact

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

    def warm(self, cls: type[Message]) -> Iterator[None]:
        """Prepare for messages of *cls*, in small steps."""


class Binary:
    """Protocol Buffers' binary form."""

    name = "proto"

    def __init__(self) -> None:
        self._required = _Required()

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
        # protobuf does not look for them when it reads.
        if missing := self._required.missing(message):
            raise _cannot_decode(cls, ValueError(missing))
        return message

    def warm(self, _cls: type[Message]) -> Iterator[None]:
        """Nothing: the work is done in C."""
        return iter(())


class Json:
    """Protocol Buffers' JSON form, by functions that are compiled for each type at its first use.

    Args:
        find_class: finds the types of Any.
    """

    name = "json"

    def __init__(self, find_class: FindClass, options: JsonOptions | None = None) -> None:
        options = options or JsonOptions()
        self._encoder = Encoder(find_class, options)
        self._decoder = Decoder(find_class, options)
        self._warmed: set[Descriptor] = set()
        self._required = _Required()

    def encode(self, message: Message) -> bytes:
        """*message* in UTF-8, compact: fields by their numbers, map keys sorted."""
        try:
            # Half a message would do for JSON; the binary form refuses it.
            if missing := self._required.missing(message):
                raise JsonError(missing)
            return document.dumps(self._encoder.value(message))
        except (JsonError, RecursionError) as exc:
            raise _cannot_encode(message, exc) from exc

    def decode(self, data: bytes, cls: type[Message]) -> Message:
        """The *cls* in *data*; nothing at all is not a message."""
        try:
            message = self._decoder.message(document.loads(data), cls)
        except (JsonError, RecursionError) as exc:
            raise _cannot_decode(cls, exc) from exc
        except Inexact:
            message = self._decode_exactly(data, cls)
        if missing := self._required.missing(message):
            raise _cannot_decode(cls, ValueError(missing))
        return message

    def _decode_exactly(self, data: bytes, cls: type[Message]) -> Message:
        try:
            return self._decoder.message(document.loads_exactly(data), cls)
        except JsonError as exc:
            raise _cannot_decode(cls, exc) from exc
        except Inexact as exc:  # it has a fraction that its float has not
            raise _cannot_decode(cls, ValueError("a number with a fraction stands for an integer")) from exc

    def to_value(self, message: Message) -> Any:  # Any: a JSON value
        """*message* as a JSON value in Python's types.

        Raises:
            JsonError: it has none: the type of an Any is not found, for example.
        """
        return self._encoder.value(message)

    def warm(self, cls: type[Message]) -> Iterator[None]:
        """Compile *cls* and all that may be in it, a step for each."""
        for descriptor in reachable(descriptor_of(cls), self._warmed):
            self._encoder.of(descriptor)
            self._decoder.of(descriptor)
            yield


class _Required:
    """Knows which messages lack required fields; most types have none, and need no look."""

    def __init__(self) -> None:
        self._may_lack: dict[type[Message], bool] = {}

    def missing(self, message: Message) -> str:
        """Which of them *message* lacks, in words; empty if none."""
        cls = type(message)
        looks = self._may_lack.get(cls)
        if looks is None:
            looks = self._may_lack[cls] = may_lack(descriptor_of(cls))
        if not looks or message.IsInitialized():
            return ""
        fields = message.FindInitializationErrors()  # type: ignore[attr-defined]  # not in its stub
        return f"missing required fields: {', '.join(fields)}"


def _cannot_encode(message: Message, exc: Exception) -> ConnectError:
    return ConnectError(Code.INTERNAL, f"cannot encode {message.DESCRIPTOR.full_name}: {_text(exc)}")


def _cannot_decode(cls: type[Message], exc: Exception) -> ConnectError:
    return ConnectError(Code.INVALID_ARGUMENT, f"cannot decode {cls.DESCRIPTOR.full_name}: {_text(exc)}")


def _text(exc: Exception) -> str:
    """What *exc* says, in bounded length."""
    text = "nested too deep" if isinstance(exc, RecursionError) else str(exc)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
