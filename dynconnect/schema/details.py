"""Error details: from what a handler gives to what every protocol sends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeAlias

from google.protobuf.message import Error, Message

from dynconnect.rpc.errors import ConnectError, Detail, ErrorDetail
from dynconnect.schema.json.fields import FindClass, type_name
from dynconnect.schema.messages import build

_log = logging.getLogger(__name__)

ToValue: TypeAlias = Callable[[Message], object]

_ANY = "google.protobuf.Any"


def pack(error: ConnectError, find_class: FindClass, to_value: ToValue) -> ConnectError:
    """*error* with each detail as an ErrorDetail, readable (`debug`) where its type is found.

    *to_value* gives the JSON value of a message.

    A detail that cannot be packed is left out and logged: it must not hide the error itself.
    """
    if not error.details:
        return error
    details = [found for detail in error.details if (found := _packed(detail, find_class, to_value))]
    # A new one: its author may raise the same object again, in a generation with other types.
    packed = ConnectError(error.code, error.message, details, metadata=error.metadata)
    return packed.with_traceback(error.__traceback__)


def _packed(detail: Detail, find_class: FindClass, to_value: ToValue) -> ErrorDetail | None:
    """*detail* ready to send; None, and a line in the log, if it cannot be packed."""
    try:
        if isinstance(detail, Mapping):
            detail = _from_mapping(detail, find_class)
        if isinstance(detail, Message):
            detail = _from_message(detail)
        if not isinstance(detail, ErrorDetail):
            raise TypeError(f"{type(detail).__name__} is not a message or a mapping")
    except (Error, LookupError, TypeError, ValueError) as exc:
        _log.warning("an error detail is left out: %s", exc)
        return None
    if detail.debug is not None:
        return detail
    return ErrorDetail(detail.type, detail.value, _debug(detail, find_class, to_value))


def _from_mapping(fields: Mapping[str, object], find_class: FindClass) -> Message:
    """The message that *fields* describe.

    Raises:
        LookupError, TypeError, ValueError: its type is not known or not named, or a field does not fit.
    """
    name = type_name(str(fields.get("@type", "")))
    if not name:
        raise ValueError("it has no member @type")
    cls = find_class(name)
    if cls is None:
        raise LookupError(f"{name} is not in the schema")
    return build(cls, {key: value for key, value in fields.items() if key != "@type"})


def _from_message(message: Message) -> ErrorDetail:
    if message.DESCRIPTOR.full_name == _ANY:
        # Packed already; nobody wants an Any in an Any.
        return ErrorDetail(type_name(message.type_url), message.value)  # type: ignore[attr-defined]  # an Any's fields
    return ErrorDetail(message.DESCRIPTOR.full_name, message.SerializeToString(deterministic=True))


def _debug(detail: ErrorDetail, find_class: FindClass, to_value: ToValue) -> object:
    """The JSON value of *detail*, or None if something in it is not known.

    People read it and programs read the bytes, so it may be missing but never wrong (Connect protocol,
    "Error Details").
    """
    cls = find_class(detail.type)
    if cls is None:
        return None
    try:
        return to_value(cls.FromString(detail.value))
    except (Error, RecursionError, ValueError):
        return None
