"""Messages from what a handler gives: fields in a mapping, or a message of another pool.

A message class of one pool is not that of another, though both have one name: bytes are the bridge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from google.protobuf.message import Message

from dynconnect.schema.finding import nearest

_MISFITS = (TypeError, ValueError, AttributeError)
"""What upb's constructors raise."""


def adopt(cls: type[Message], message: Message) -> Message:
    """*message*, of another pool but the same full name, as a *cls*."""
    # Partial: what is missing is said when the message is encoded.
    return cls.FromString(message.SerializePartialToString())


def build(cls: type[Message], fields: Mapping[str, object]) -> Message:
    """A *cls* of *fields*: names as declared, nested mappings, lists, datetimes; messages of any pool.

    None leaves a field unset.

    Raises:
        TypeError: a field does not exist or its value does not fit; the text names the field.
    """
    try:
        return cls(**fields)
    except _MISFITS:
        # Perhaps a message in there is of another pool, as those of imported _pb2 modules are: the
        # constructor misreads it. Else this way finds out which field is to blame.
        message = cls()
        _fill(message, fields)
        return message


def _fill(message: Message, fields: Mapping[str, object]) -> None:
    for name, value in fields.items():
        try:
            message.MergeFrom(type(message)(**{name: value}))
        except _MISFITS as exc:
            for where, target, item in _parts(message, name, value, exc):
                _merge(target, item, where, exc)


def _parts(
    message: Message,
    name: str,
    value: object,
    misfit: Exception,
) -> Iterator[tuple[str, Message, object]]:
    """The messages in field *name*, added empty, each with where it is and what belongs into it.

    Raises:
        TypeError: *name* is no field that holds messages, or *value* is no list or mapping of them.
    """
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        near = nearest(str(name), message.DESCRIPTOR.fields_by_name)
        hint = f"; did you mean {near!r}?" if near else ""
        raise TypeError(f"{message.DESCRIPTOR.full_name} has no field {name!r}{hint}")
    kind = field.message_type
    is_map = kind is not None and kind.GetOptions().map_entry
    if is_map and kind is not None:
        kind = kind.fields_by_name["value"].message_type
    target = getattr(message, name)
    if kind is not None and is_map and isinstance(value, Mapping):
        for key, item in value.items():
            yield f"{name}[{key!r}]", target[key], item
    elif kind is not None and field.is_repeated and isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield f"{name}[{index}]", target.add(), item
    elif kind is not None and not field.is_repeated:
        target.SetInParent()
        yield name, target, value
    else:
        raise TypeError(f"{name}: {misfit}") from misfit


def _merge(target: Message, value: object, where: str, misfit: Exception) -> None:
    expected = target.DESCRIPTOR.full_name
    if isinstance(value, Message) and value.DESCRIPTOR.full_name == expected:
        target.MergeFromString(value.SerializePartialToString())
    elif isinstance(value, Mapping) and expected != "google.protobuf.Struct":
        try:
            _fill(target, value)
        except TypeError as exc:
            raise TypeError(f"{where}.{exc}") from exc
    else:
        raise TypeError(f"{where}: {misfit}") from misfit
