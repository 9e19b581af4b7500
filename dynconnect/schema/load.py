"""Loading: from what the command line names to sources, all of it read or compiled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from dynconnect.schema.compiler import BUF_FILES, build_by_buf, compile_protos, is_buf_folder
from dynconnect.schema.finding import Finding, FindingsError, SchemaError
from dynconnect.schema.protos import Proto, locate
from dynconnect.schema.sources import Found, Source, base_of, find, read


def load(patterns: Sequence[str], protoc: str | None = None) -> list[Source]:
    """The sources that *patterns* name: descriptor sets as they are, ``.proto`` files compiled.

    Args:
        patterns: files, globs and folders.
        protoc: the compiler; None for buf in folders of its own, else protoc on PATH, else that of
            grpcio-tools.

    Raises:
        SchemaError: with every finding of every file.
    """
    found = find(patterns)
    sources: list[Source] = []
    findings: list[Finding] = []
    for file in found:
        if not file.is_proto:
            try:
                sources.append(read(file.path))
            except FindingsError as error:
                findings += error.findings
    try:
        sources += _compiled(locate([file for file in found if file.is_proto]), protoc)
    except FindingsError as error:
        findings += error.findings
    if findings:
        raise SchemaError(findings)
    return sources


def files_of(patterns: Sequence[str]) -> Iterator[Path]:
    """Every file that counts when *patterns* are loaded; what is wrong with them is passed over.

    These are the files that they name, what ``.proto`` files among them import from their roots, and the
    configuration of buf.
    """
    found: list[Found] = []
    for pattern in patterns:
        yield from (path for name in BUF_FILES if (path := Path(pattern, name)).is_file())
        with suppress(FindingsError):
            found += find([pattern])
    yield from (file.path for file in found)
    with suppress(FindingsError):
        yield from (proto.path for proto in locate([file for file in found if file.is_proto]))


def roots_of(patterns: Sequence[str]) -> Iterator[Path]:
    """The files and folders to look at for changes; of a glob, the last folder before anything varies."""
    return (base_of(Path(pattern)) for pattern in patterns)


def _compiled(protos: Sequence[Proto], protoc: str | None) -> Iterator[Source]:
    """The sources of *protos*: one process for each folder of buf's, and one for all the rest."""
    by_buf: dict[str, list[Proto]] = {}
    others: list[Proto] = []
    for proto in protos:
        is_bufs = is_buf_folder(Path(proto.origin), protoc)
        (by_buf.setdefault(proto.origin, []) if is_bufs else others).append(proto)
    findings: list[Finding] = []
    for folder, members in by_buf.items():
        try:
            yield build_by_buf(Path(folder), members)
        except FindingsError as error:
            findings += error.findings
    if others:
        try:
            yield from compile_protos(others, protoc)
        except FindingsError as error:
            findings += error.findings
    if findings:
        raise SchemaError(findings)
