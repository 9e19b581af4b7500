"""Compiling ``.proto`` sources, by a process and without a file: which compiler, and how it is asked.

protoc stops at the first file that is at fault. So it is first given a file that imports all others, from
its stdin: what is wrong with any of them is said at once.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from dynconnect.schema.content import COMPILE, NotASetError, files_of
from dynconnect.schema.diagnostics import Diagnostic, Reader, of_buf, of_protoc
from dynconnect.schema.finding import Finding, SchemaError
from dynconnect.schema.imports import FOLDERS, is_installed
from dynconnect.schema.process import Finished, ProcessError, run
from dynconnect.schema.protos import Proto, roots_of
from dynconnect.schema.sources import SOURCE_MAX_BYTES, Source

log = logging.getLogger(__name__)

SECONDS = 60.0
"""How long a compiler may take."""
ARGUMENTS_MAX = 512 * 1024
"""How many bytes of file names are given as arguments; with more, unused imports go unnoticed."""

INSTALL = "pip install 'dynconnect[protoc]', or name a compiler by --protoc"
"""What to do without a compiler."""

BUF_FILES = ("buf.yaml", "buf.work.yaml", "buf.lock")
"""What makes a folder buf's, and what else counts for it."""

_ALL = "dynconnect_imports_all.proto"
_STDIN = "/dev/stdin"


@dataclass(frozen=True, slots=True)
class _Compiler:
    """A way to start protoc.

    Attributes:
        command: how it is started.
        includes: folders with ``google/protobuf/*.proto``, if it may lack them.
    """

    command: tuple[str, ...]
    includes: tuple[Path, ...] = ()


def is_buf_folder(folder: Path, protoc: str | None) -> bool:
    """Whether buf is there and builds *folder*: it has buf's configuration, and no *protoc* was named."""
    configured = any((folder / name).is_file() for name in ("buf.yaml", "buf.work.yaml"))
    return protoc is None and configured and shutil.which("buf") is not None


def build_by_buf(folder: Path, protos: Sequence[Proto]) -> Source:
    """The image that ``buf build`` makes of *folder*, in which *protos* are.

    Raises:
        SchemaError: with all that buf says.
    """
    origin = str(folder)
    command = (shutil.which("buf") or "buf", "build", origin, "-o", "-", "--error-format", "json")
    finished = _run(command, b"", origin)
    if finished.status != 0:
        raise SchemaError(
            Reader(protos).findings(of_buf(_both(finished))) or [_failed(command, finished, origin)]
        )
    return Source(origin, _files(finished, origin))


def compile_protos(protos: Sequence[Proto], protoc: str | None = None) -> list[Source]:
    """The sets of *protos*, one for each origin, made by one process.

    Args:
        protos: at least one.
        protoc: the compiler to take; None for protoc on PATH, else that of grpcio-tools.

    Raises:
        SchemaError: with all that the compiler says, or why there is none.
    """
    origin = protos[0].origin
    if os.name != "posix":
        raise SchemaError([Finding(origin, "is compiled on POSIX systems only, such as Linux", COMPILE)])
    compiler = _choose(protoc, origin)
    command = _command(compiler, protos)
    finished = _run(command, _importing(protos), origin)
    said = [one for one in of_protoc(finished.errors) if one.file not in (_ALL, _STDIN)]
    reader = Reader(protos, _available(compiler))
    if finished.status != 0:
        raise SchemaError(reader.findings(said) or [_failed(compiler.command, finished, origin)])
    _log_warnings(reader, said)
    return _sources(protos, _files(finished, origin))


def _choose(protoc: str | None, origin: str) -> _Compiler:
    # google/protobuf/*.proto come with most protocs, but not with all.
    tools = find_spec("grpc_tools")
    includes = tuple(Path(path, "_proto") for path in (tools and tools.submodule_search_locations) or ())
    if found := shutil.which(protoc or "protoc"):
        return _Compiler((found,), includes)
    if protoc is not None:
        raise SchemaError([Finding(protoc, "no such program", "give --protoc the path of a protoc")])
    if tools is None:
        raise SchemaError([Finding(origin, "has .proto sources, and there is no protoc", INSTALL)])
    # -P: the working directory may have a folder google or grpc_tools.
    return _Compiler((sys.executable, "-P", "-m", "grpc_tools.protoc"), includes)


def _command(compiler: _Compiler, protos: Sequence[Proto]) -> list[str]:
    roots = roots_of(protos)
    for root in roots:
        if ":" in str(root):
            raise SchemaError([Finding(str(root), "has a ':' in its path, which protoc can't take", COMPILE)])
    files = [str(proto.absolute) for proto in protos]
    return [
        *compiler.command,
        # The first "=" parts an import path from its folder: this one is for all.
        *(f"-I={root}" for root in roots),
        *(f"-I{prefix}={folder}" for prefix, folder in _installed_folders()),
        *(f"-I={folder}" for folder in compiler.includes),
        f"-I{_ALL}={_STDIN}",
        "--include_imports",
        "--include_source_info",
        "--descriptor_set_out=/dev/stdout",
        _ALL,
        *(files if sum(map(len, files)) <= ARGUMENTS_MAX else ()),
    ]


def _importing(protos: Sequence[Proto]) -> bytes:
    names = (proto.name.replace("\\", "\\\\").replace('"', '\\"') for proto in protos)
    return b'syntax = "proto3";\n' + b"".join(b'import "%b";\n' % os.fsencode(name) for name in names)


def _installed_folders() -> Iterator[tuple[str, Path]]:
    """Folders of ``.proto`` files that installed packages bring, each with its import path."""
    for root in importlib.import_module("google").__path__:
        for name in FOLDERS:
            folder = Path(root, name)
            if folder.is_dir():
                yield f"google/{name}", folder


def _available(compiler: _Compiler) -> Iterator[str]:
    """The import paths that are there without the user's doing."""
    folders = [*_installed_folders(), *(("", folder) for folder in compiler.includes)]
    for prefix, folder in folders:
        for file in folder.rglob("*.proto"):
            yield Path(prefix, file.relative_to(folder)).as_posix()


def _run(command: Sequence[str], data: bytes, origin: str) -> Finished:
    try:
        return run(command, data, seconds=SECONDS, output_max=SOURCE_MAX_BYTES)
    except ProcessError as exc:
        raise SchemaError([Finding(origin, f"the compiler {command[0]} {exc}", COMPILE)]) from None


def _failed(command: Sequence[str], finished: Finished, origin: str) -> Finding:
    """The finding for a compiler that fails and names no file."""
    said = _both(finished).strip() or "it says nothing"
    return Finding(origin, f"{' '.join(command)} failed with exit code {finished.status}:\n{said[-2000:]}")


def _both(finished: Finished) -> str:
    """What was printed: buf takes stdout for some of it."""
    return f"{finished.errors}\n{finished.output.decode(errors='replace')}"


def _files(finished: Finished, origin: str) -> tuple[bytes, ...]:
    try:
        return files_of(finished.output)
    except NotASetError as exc:
        raise SchemaError([Finding(origin, f"what the compiler made of it {exc.what}")]) from None


def _log_warnings(reader: Reader, said: Sequence[Diagnostic]) -> None:
    for one in said:
        if one.is_warning:
            log.warning("%s", f"{reader.where(one)}: {one.what}" if one.file else one.what)


def _sources(protos: Sequence[Proto], files: Sequence[bytes]) -> list[Source]:
    """*files* by the origins of *protos*.

    Without what installed packages have, which completes every schema: another version of it would clash
    with that of another source, and its services are not for serving.
    """
    origins = {proto.name: proto.origin for proto in protos}
    sets: dict[str, list[bytes]] = {proto.origin: [] for proto in protos}
    for data in files:
        name = FileDescriptorProto.FromString(data).name
        if name in origins or not (name == _ALL or is_installed(name)):
            sets[origins.get(name, protos[0].origin)].append(data)
    return [Source(origin, tuple(members)) for origin, members in sets.items()]
