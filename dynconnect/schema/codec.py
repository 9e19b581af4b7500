"""Codecs: messages to bytes and back.

Every exception of the libraries below becomes a ConnectError here, whatever a peer sends.
Sources: Connect protocol, "Message codecs"; Protocol Buffers, "ProtoJSON Format".
"""

from __future__ import annotations

import json
import re
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
"""How deep messages may nest below the first one: upb's limit for the binary form, so also for JSON."""

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
_LEVELS = 8
"""And how many names of the path to the field."""
_WRAPPER = re.compile(r"Failed to parse (\S+) field: ")


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
        self._types = _Types(find_class)

    def encode(self, message: Message) -> bytes:
        """*message* in UTF-8, compact, with sorted keys."""
        try:
            # json_format would write half a message; the binary form refuses.
            if missing := _missing(message):
                raise ValueError(missing)
            return _dumps(self.to_value(message))
        except FOREIGN as exc:
            raise _cannot_encode(message, exc) from exc

    def decode(self, data: bytes, cls: type[Message]) -> Message:
        """The *cls* in *data*; nothing at all is not a message."""
        if not data:
            raise _cannot_decode(cls, ValueError("zero-length JSON; an empty message is {}"))
        try:
            message = cls()
            _Parser(self._types).ConvertMessage(_loads(data), message, "")
        except FOREIGN as exc:
            raise _cannot_decode(cls, exc) from exc
        return _complete(message)

    def to_value(self, message: Message) -> object:
        """*message* as a JSON value in Python's types.

        Raises:
            Exception: any that json_format raises, when the type of an Any is not found for example.
        """
        # json_format asks a pool for nothing but types by name.
        return json_format.MessageToDict(message, descriptor_pool=cast("DescriptorPool", self._types))


class _Types:
    """A stand-in for a pool that finds the types of several, and the members that each type knows."""

    def __init__(self, find_class: FindClass) -> None:
        self._find_class = find_class
        self._members: dict[Descriptor, frozenset[str]] = {}

    def FindMessageTypeByName(self, name: str) -> Descriptor:  # noqa: N802  the pool's name for it
        cls = self._find_class(name)
        if cls is None:
            raise KeyError(name)
        # By its class, so that json_format need not make one with GetMessageClass, which recurses.
        return cast("Descriptor", cls.DESCRIPTOR)

    def knows(self, descriptor: Descriptor, member: str) -> bool:
        """Whether *member* is the name of a field of *descriptor*, or of an extension in brackets."""
        members = self._members.get(descriptor)
        if members is None:
            members = frozenset(name for field in descriptor.fields for name in (field.name, field.json_name))
            self._members[descriptor] = members
        return member in members or (member.startswith("[") and _extends(descriptor, member))


# The stubs have no parser: json_format shows functions only. They cannot do what is done below, and our
# own codec will take the place of both.
class _Parser(json_format._Parser):  # type: ignore[name-defined,misc]
    """json_format's parser, less forgiving.

    Told to ignore unknown members it ignores unknown enum values too, and takes any string or list for
    an empty message. So it is told to ignore nothing, and sees no unknown members.
    """

    def __init__(self, types: _Types) -> None:
        super().__init__(
            ignore_unknown_fields=False, descriptor_pool=types, max_recursion_depth=MAX_DEPTH + 1
        )
        self._types = types

    def _ConvertFieldValuePair(self, js: object, message: Message, path: str) -> None:  # noqa: N802
        if not isinstance(js, dict):
            raise json_format.ParseError(f"expected an object at {path}, not {type(js).__name__}")
        descriptor = cast("Descriptor", message.DESCRIPTOR)
        known = {name: value for name, value in js.items() if self._types.knows(descriptor, name)}
        super()._ConvertFieldValuePair(known, message, path)


def _extends(descriptor: Descriptor, member: str) -> bool:
    """Whether *member*, ``[package.name]``, is an extension of *descriptor* in its own pool."""
    try:
        extension = descriptor.file.pool.FindExtensionByName(member[1:].removesuffix("]"))
    except (KeyError, TypeError):  # TypeError: a name that is no Unicode
        return False
    return extension.containing_type is descriptor


def _loads(data: bytes) -> Any:  # Any: a JSON value
    return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_constant)


def _dumps(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    # json keeps the last of two members; the next reader of the same bytes might keep the first.
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("an object has the same member twice")
    return found


def _no_constant(name: str) -> None:
    # Python's parser takes it; JSON has no such token, and protobuf writes it as a string.
    raise ValueError(f"{name} is not JSON")


def _complete(message: Message) -> Message:
    # Only proto2's required fields can be missing; neither library looks for them when it decodes.
    if missing := _missing(message):
        raise _cannot_decode(type(message), ValueError(missing))
    return message


def _missing(message: Message) -> str:
    """Which required fields *message* lacks, in words; empty if none."""
    if message.IsInitialized():
        return ""
    fields = message.FindInitializationErrors()  # type: ignore[attr-defined]  # not in its stub
    return f"missing required fields: {', '.join(fields)}"


def _cannot_encode(message: Message, exc: Exception) -> ConnectError:
    return ConnectError(Code.INTERNAL, f"cannot encode {message.DESCRIPTOR.full_name}: {_text(exc)}")


def _cannot_decode(cls: type[Message], exc: Exception) -> ConnectError:
    return ConnectError(Code.INVALID_ARGUMENT, f"cannot decode {cls.DESCRIPTOR.full_name}: {_text(exc)}")


def _text(exc: Exception) -> str:
    """What *exc* says, where first, in bounded length."""
    if isinstance(exc, RecursionError):
        return "nested too deep"
    names, text = [], str(exc)
    # json_format wraps its text once for every level: "Failed to parse a field: Failed to parse b field: …".
    while match := _WRAPPER.match(text):
        names.append(match[1])
        text = text[match.end() :]
    path = f"{'.'.join(names[:_LEVELS])}{'…' if len(names) > _LEVELS else ''}: " if names else ""
    text = path + text.rstrip(".")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
