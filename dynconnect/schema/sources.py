"""Sources: where schemas come from. Files, globs and folders of descriptor sets and ``.proto`` files.

Whether a file is a set, its content says and not its name: build systems spell them ``.binpb``, ``.pb``,
``.desc``, ``.protoset`` and in other ways. But what is named ``.proto`` is source.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynconnect.schema.content import AGAIN, HEAD_BYTES, NotASetError, files_of, is_head
from dynconnect.schema.finding import Finding, SchemaError, nearest

SOURCE_MAX_BYTES = 256 * 1024 * 1024
"""The largest set read, after decompression: well above all of googleapis, and no gzip bomb fills memory."""

PROTO = ".proto"
"""How the name of a source ends that is to be compiled."""

_GZIP = b"\x1f\x8b"
_SUFFIXES = frozenset({".binpb", ".bin", ".pb", ".desc", ".protoset", ".fds"})
_TEMPORARY = (".tmp", ".swp", ".swx", ".bak", "~", "___jb_tmp___", "___jb_old___")


@dataclass(frozen=True, slots=True)
class Source:
    """One descriptor set that was read, or compiled.

    Attributes:
        path: where it was read, for messages.
        files: its FileDescriptorProtos, each in the bytes that the compiler wrote.
    """

    path: str
    files: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a pattern names.

    Attributes:
        path: as its user would write it.
        pattern: what named it.
        base: the folder that was named; of a glob the last before anything varies, of a file its own.
        in_folder: whether a folder was named, and not the file.
    """

    path: Path
    pattern: str
    base: Path
    in_folder: bool = False

    @property
    def is_proto(self) -> bool:
        """Whether it is ``.proto`` source."""
        return self.path.suffix == PROTO


def find(patterns: Sequence[str]) -> list[Found]:
    """The files that *patterns* name: files, globs and folders; each once, in a fixed order.

    Of a folder and the folders in it these are the ``.proto`` files, the descriptor sets, and what is
    named like one.

    Raises:
        SchemaError: with a finding for each pattern that matches nothing.
    """
    found: dict[Path, Found] = {}
    findings: list[Finding] = []
    for pattern in patterns:
        try:
            for file in _expand(pattern):
                other = found.setdefault(file.path, file)
                # A folder within a named one, named too, has its own files.
                if file.in_folder and file.base.is_relative_to(other.base):
                    found[file.path] = file
        except SchemaError as exc:
            findings += exc.findings
        except OSError as exc:
            findings.append(Finding(exc.filename or pattern, f"cannot be read: {exc.strerror}"))
        except ValueError as exc:
            findings.append(Finding(pattern, f"is no pattern: {exc}"))
    if findings:
        raise SchemaError(findings)
    return list(found.values())


def base_of(pattern: Path) -> Path:
    """The last folder of the glob *pattern* before anything varies; *pattern* if nothing does."""
    varies = next((at for at, part in enumerate(pattern.parts) if set("*?[").intersection(part)), None)
    return pattern if varies is None or pattern.exists() else Path(*pattern.parts[:varies])


def is_ignored(name: str) -> bool:
    """Whether a file or folder *name* is hidden, or an editor's passing copy of another."""
    return name.startswith((".", "#")) or name.endswith(_TEMPORARY)


def _expand(pattern: str) -> list[Found]:
    path = Path(pattern)
    if path.is_dir():
        return [Found(file, pattern, path, in_folder=True) for file in _files_in(path)]
    if path.exists():
        return [Found(path, pattern, path.parent)]
    is_glob = any(character in pattern for character in "*?[")
    matches = _glob(path) if is_glob else []
    if not matches:
        what = "matches no file" if is_glob else "no such file or folder"
        raise SchemaError([Finding(pattern, what, _other_name(path))])
    found: list[Found] = []
    for match in matches:
        if match.is_dir():
            found += (Found(file, str(match), match, in_folder=True) for file in _files_in(match))
        else:
            found.append(Found(match, pattern, base_of(path)))
    return found


def _glob(pattern: Path) -> list[Path]:
    """What matches *pattern*, in order; ValueError if it is none."""
    matches = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
    # Unlike a shell's, this "*" matches hidden names too; those that the pattern spells out are meant.
    spelled = set(pattern.parts)
    return sorted(m for m in matches if not any(is_ignored(part) for part in m.parts if part not in spelled))


def _other_name(path: Path) -> str:
    """A hint that names the neighbour that was meant; empty if there is none."""
    if not path.parent.is_dir():
        return ""
    near = nearest(path.name, (entry.name for entry in path.parent.iterdir()))
    return f"did you mean {path.parent / near}?" if near else ""


def _files_in(folder: Path) -> list[Path]:
    """The files below *folder* that are schemas or should be; SchemaError if there are none."""
    files = [file for file in _files_below(folder) if file.suffix == PROTO or _may_be_set(file)]
    if not files:
        hint = "give a descriptor set, a .proto file, or a folder that has one"
        raise SchemaError([Finding(str(folder), "no descriptor set or .proto file in this folder", hint)])
    return files


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if not is_ignored(name))
        yield from (Path(parent, name) for name in sorted(names) if not is_ignored(name))


def _raise(exc: OSError) -> None:
    # os.walk passes over what it cannot list, and a schema would come up short.
    raise exc


def _may_be_set(path: Path) -> bool:
    """Whether *path* begins like a set, or is named like one: then `read` says what is wrong with it."""
    if Path(path.name.lower().removesuffix(".gz")).suffix in _SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if head.startswith(_GZIP):
            with gzip.open(path) as file:
                head = file.read(HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        return False
    return is_head(head)


def read(path: Path) -> Source:
    """The descriptor set or buf image at *path*, binary, plain or gzip.

    Raises:
        SchemaError: with the one finding that says what is there instead, and what to do.
    """
    try:
        return Source(str(path), files_of(_content(path)))
    except NotASetError as exc:
        finding = Finding(str(path), exc.what, exc.hint)
    except OSError as exc:
        finding = Finding(str(path), f"cannot be read: {exc.strerror or exc}")
    raise SchemaError([finding])


def _content(path: Path) -> bytes:
    """The bytes at *path*, decompressed. It is opened once, as it may be a pipe."""
    with path.open("rb") as file:
        data = _bounded(file.read(SOURCE_MAX_BYTES + 1))
    return _gunzip(data) if data.startswith(_GZIP) else data


def _gunzip(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            return _bounded(file.read(SOURCE_MAX_BYTES + 1))
    except EOFError:
        raise NotASetError("is truncated: its gzip data ends too early", AGAIN) from None
    except (gzip.BadGzipFile, zlib.error) as exc:
        raise NotASetError(f"is damaged gzip data: {exc}", AGAIN) from None


def _bounded(data: bytes) -> bytes:
    if len(data) > SOURCE_MAX_BYTES:
        raise NotASetError(f"is larger than {SOURCE_MAX_BYTES >> 20} MiB", "build a set of fewer files")
    return data
