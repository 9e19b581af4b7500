"""The private pool: files in, descriptors out, and every reason against it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.reflection import GeneratedProtocolMessageType

from dynconnect.schema.checks import check
from dynconnect.schema.content import AGAIN
from dynconnect.schema.files import File, merge
from dynconnect.schema.finding import Finding, SchemaError
from dynconnect.schema.imports import complete, ordered
from dynconnect.schema.sources import Source

_REFUSAL = "Couldn't build proto file into descriptor pool: "


def build(sources: Iterable[Source]) -> tuple[DescriptorPool, dict[str, File], frozenset[str]]:
    """A pool of *sources*, its files in the order of their imports, and the paths that were given.

    The other files were completed from installed packages.

    Raises:
        SchemaError: with all that is wrong, not only the first.
    """
    findings: list[Finding] = []
    files = merge(sources, findings)
    given = frozenset(files)
    complete(files, findings)
    files = {name: files[name] for name in ordered(files, findings)}
    pool = _fill(files, given, findings)
    if findings:
        raise SchemaError(findings)
    return pool, files, given


def _fill(files: dict[str, File], given: frozenset[str], findings: list[Finding]) -> DescriptorPool:
    """A pool with those *files* that are sound; what is wrong with the others is added to *findings*."""
    # Never the default pool: it keeps every file for ever, and one schema only.
    pool = DescriptorPool()
    added: set[str] = set()
    for name, file in files.items():
        wrong = _wrong(file) if name in given else []
        findings += wrong
        # Without its imports the pool would refuse it, and the reason has been found already.
        if added.issuperset(file.proto.dependency):
            try:
                pool.AddSerializedFile(file.data)
                added.add(name)
            except TypeError as exc:
                findings += [] if wrong else [_refused(pool, file, str(exc).removeprefix(_REFUSAL))]
    return pool


def _wrong(file: File) -> list[Finding]:
    try:
        return list(check(file.proto))
    except TypeError:  # what is no Unicode comes as bytes
        return [
            Finding(file.proto.name, "has a name that is no Unicode", f"{AGAIN}: it came from {file.origin}")
        ]


def _refused(pool: DescriptorPool, file: File, why: str) -> Finding:
    """The finding for a *file* that the *pool* refused, with the other file that is to blame, if there is."""
    hint = f"it came from {file.origin}"
    if match := re.search("duplicate symbol '(.+)'", why):
        try:
            other = pool.FindFileContainingSymbol(match[1]).name
        except KeyError:
            return Finding(file.proto.name, why, hint)
        hint += f"; {other} declares it too: give both sets the same import root"
    return Finding(file.proto.name, why, hint)


def flat_class(descriptor: Descriptor) -> type[Message]:
    """The class of *descriptor*, made without those of its fields.

    Never GetMessageClass: it makes them too, by recursion, and overflows the stack on a chain of some 500
    types. upb makes them itself when they are read, and gives all who ask the one class of a descriptor.
    """
    members = {"DESCRIPTOR": descriptor, "__module__": descriptor.full_name.rpartition(".")[0]}
    return cast("type[Message]", GeneratedProtocolMessageType(descriptor.name, (Message,), members))
