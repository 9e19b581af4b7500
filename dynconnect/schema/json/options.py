"""How a server writes and reads JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from dynconnect.schema.finding import nearest


@dataclass(frozen=True, slots=True)
class JsonOptions:
    """Connect's habits, unless something else is said.

    Attributes:
        defaults: write fields that have their default value too, but for those with presence.
        proto_names: write fields by the names that they have in the schema, and not in lowerCamelCase.
        enum_numbers: write enums as numbers.
        strict: refuse fields that a message does not know; else they are ignored.
        skip_unknown_enums: where fields are ignored, ignore a field whose enum has no value of that name too.
            Protobuf's conformance suite asks for it; Connect's servers refuse such a message.
    """

    defaults: bool = False
    proto_names: bool = False
    enum_numbers: bool = False
    strict: bool = False
    skip_unknown_enums: bool = False


NAMES = tuple(field.name.replace("_", "-") for field in fields(JsonOptions))[:4]
"""What options are called where people write them."""


def parse_options(names: Iterable[str]) -> JsonOptions:
    """The options that *names* switch on.

    Raises:
        ValueError: there is no such option.
    """
    found = set(names)
    for name in sorted(found.difference(NAMES)):
        close = nearest(name, NAMES)
        hint = f"did you mean {close}?" if close else f"there is {', '.join(NAMES)}"
        raise ValueError(f"there is no JSON option {name!r}; {hint}")
    return JsonOptions(**{name.replace("-", "_"): True for name in found})
