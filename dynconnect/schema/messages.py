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
    """Set *fields* one by one, so that an error has the name of its field."""
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
    inner = kind.fields_by_name["value"].message_type if kind is not None and is_map else kind
    target = getattr(message, name)
    match value:
        case _ if inner is None:
            raise TypeError(f"{name}: {misfit}") from misfit
        case Mapping() if is_map:
            yield from ((f"{name}[{key!r}]", target[key], item) for key, item in value.items())
        case list() | tuple() if field.is_repeated and not is_map:
            yield from ((f"{name}[{index}]", target.add(), item) for index, item in enumerate(value))
        case _ if field.is_repeated:
            raise TypeError(f"{name}: {misfit}") from misfit
        case _:
            target.SetInParent()
            yield name, target, value


def _merge(target: Message, value: object, where: str, misfit: Exception) -> None:
    """Put *value*, a message of any pool or a mapping, into the empty message *target*.

    Raises:
        TypeError: it is neither, or does not fit; the text begins with *where*.
    """
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
