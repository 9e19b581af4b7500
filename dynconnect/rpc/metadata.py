"""Metadata: the headers and trailers of a call."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TypeAlias, TypeVar, overload

D = TypeVar("D")
Pairs: TypeAlias = Iterable[tuple[str, str]]


class Metadata(MutableMapping[str, str]):
    """Names and values in order; a name may repeat, and its case does not matter.

    As a mapping it holds the first value of each name, and assignment replaces all of them.
    Values of names that end in ``-bin`` are base64, as they stand on the wire:
    `add_binary` and `get_binary` translate.
    """

    __slots__ = ("_first", "_raw", "pairs")

    _raw: Sequence[tuple[bytes, bytes]]
    pairs: list[tuple[str, str]]
    """Names, in lower case, and values; not to be changed."""

    def __init__(self, items: Mapping[str, str] | Pairs = ()) -> None:
        self.pairs = []
        self._first: dict[str, str] | None = None
        if items:
            self.extend(items)

    @classmethod
    def of_raw(cls, pairs: Sequence[tuple[bytes, bytes]]) -> Metadata:
        """The metadata in *pairs*, whose names are lower-case already; decoded when that is wanted."""
        self = cls.__new__(cls)
        self._raw = pairs
        self._first = None
        return self

    def __getattr__(self, name: str) -> list[tuple[str, str]]:
        """*pairs*, which are not decoded yet."""
        if name != "pairs":
            raise AttributeError(f"Metadata has no {name}")
        self.pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._raw]
        return self.pairs

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    @overload
    def get(self, name: str, default: D) -> str | D: ...
    def get(self, name: str, default: object = None) -> object:
        """The first value of *name*, or *default*; the mapping's own would raise, and catch, an exception."""
        return self.firsts.get(name.lower(), default)

    @property
    def firsts(self) -> Mapping[str, str]:
        """The first value of each name, which is in lower case."""
        first = self._first
        if first is None:
            first = self._first = dict(reversed(self.pairs))
        return first

    def __setitem__(self, name: str, value: str) -> None:
        self.pairs = [item for item in self.pairs if item[0] != name.lower()]
        self.add(name, value)

    def __delitem__(self, name: str) -> None:
        kept = [item for item in self.pairs if item[0] != name.lower()]
        if len(kept) == len(self.pairs):
            raise KeyError(name)
        self.pairs = kept
        self._first = None

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self.pairs))

    def __len__(self) -> int:
        return len({name for name, _ in self.pairs})

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in (key for key, _ in self.pairs)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Metadata):
            return self.pairs == other.pairs
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes, so it has no hash

    def __repr__(self) -> str:
        return f"Metadata({self.pairs!r})"

    def add(self, name: str, value: str) -> None:
        """One more value of *name*, after those it has."""
        self.pairs.append((name.lower(), value))
        self._first = None

    def extend(self, other: Mapping[str, str] | Pairs) -> None:
        """All pairs of *other*, after those that are here."""
        self._first = None
        if isinstance(other, Metadata):
            self.pairs += other.pairs
        elif isinstance(other, Mapping):
            self.pairs += [(name.lower(), value) for name, value in other.items()]
        else:
            self.pairs += [(name.lower(), value) for name, value in other]

    def getall(self, name: str) -> list[str]:
        """Every value of *name*, in order; empty if there is none."""
        wanted = name.lower()
        return [value for key, value in self.pairs if key == wanted]

    def allitems(self) -> list[tuple[str, str]]:
        """Every pair in order, names in lower case."""
        return list(self.pairs)

    def add_binary(self, name: str, value: bytes) -> None:
        """One more value of the binary header *name* (gRPC over HTTP/2, "Custom-Metadata").

        Raises:
            ValueError: unless *name* ends in ``-bin``.
        """
        if not name.lower().endswith("-bin"):
            raise ValueError(f"the name of binary metadata must end in -bin: {name!r}")
        self.add(name, base64.b64encode(value).decode().rstrip("="))

    def get_binary(self, name: str) -> list[bytes]:
        """Every value of the binary header *name*, padded or not, on one line or several.

        Raises:
            ValueError: if one of them is not base64.
        """
        values = (part.strip() for line in self.getall(name) for part in line.split(","))
        return [_unbase64(name, value) for value in values]


def _unbase64(name: str, value: str) -> bytes:
    try:
        # Both alphabets are in use: some clients write "-" and "_" even here.
        text = value.rstrip("=").replace("-", "+").replace("_", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as exc:
        raise ValueError(f"{name}: not base64: {value!r}") from exc
