"""Symbols: which file declares what, and all the files that are needed to read it.

Source: grpc.reflection.v1, reflection.proto.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Mapping

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from dynconnect.schema.imports import imports_of
from dynconnect.schema.schema import Schema, system

_SERVICE = FileDescriptorProto.SERVICE_FIELD_NUMBER


class Symbols:
    """The symbols of *schema*, and behind them those of the system schema.

    Files come out as the bytes of a FileDescriptorProto that went in: the one that was asked for, then each
    that it imports, by whatever way. Every look-up raises LookupError, with a text for the peer.

    Args:
        hidden: full names of services that are left out, with what only their files declare.
    """

    def __init__(self, schema: Schema, hidden: Collection[str] = ()) -> None:
        self._pools: tuple[DescriptorPool, ...] = (schema.pool, system().pool)
        self._hidden = frozenset(hidden)
        # Of two files of one name the peer needs the one that the rest of the schema was built with.
        self._files: Mapping[str, bytes] = ChainMap(dict(schema.files), dict(system().files))
        self._imports: dict[str, list[str]] = {}
        if self._hidden:
            self._files = self._shown(schema)

    def file(self, path: str) -> list[bytes]:
        """The file of import path *path*."""
        if path not in self._files:
            raise LookupError(f"there is no file {path}")
        return [self._files[found] for found in self._closure([path])]

    def symbol(self, full_name: str) -> list[bytes]:
        """The file that declares *full_name*, which may be anything but a package."""
        for pool in self._pools:
            for name in (full_name, full_name.rpartition(".")[0]):
                path = _declaring(pool, name)
                # upb has no methods among its symbols.
                if path is not None and (name is full_name or _has_method(pool, full_name)):
                    return self._seen(path, full_name)
        raise LookupError(f"there is no symbol {full_name}")

    def extension(self, type_name: str, number: int) -> list[bytes]:
        """The file that declares the extension *number* of the message *type_name*."""
        for pool, extended in self._messages(type_name):
            try:
                path = _path_of(pool.FindExtensionByNumber(extended, number))
            except KeyError:
                continue
            if path in self._files:
                return self.file(path)
        raise LookupError(f"there is no extension {number} of {type_name}")

    def extension_numbers(self, type_name: str) -> list[int]:
        """The numbers of all extensions of the message *type_name*, sorted."""
        found = list(self._messages(type_name))
        if not found:
            raise LookupError(f"there is no message {type_name}")
        extensions: Iterable[FieldDescriptor] = (
            field for pool, extended in found for field in pool.FindAllExtensions(extended)
        )
        return sorted({field.number for field in extensions if _path_of(field) in self._files})

    def _messages(self, full_name: str) -> Iterator[tuple[DescriptorPool, Descriptor]]:
        """The message *full_name* in each pool that has it."""
        for pool in self._pools:
            try:
                message = pool.FindMessageTypeByName(full_name)
            except KeyError:
                continue
            if message.file.name in self._files:
                yield pool, message

    def _seen(self, path: str, full_name: str) -> list[bytes]:
        """The file *path*, unless *full_name* in it is hidden."""
        if path not in self._files or not self._hidden.isdisjoint((full_name, full_name.rpartition(".")[0])):
            raise LookupError(f"there is no symbol {full_name}")
        return self.file(path)

    def _closure(self, paths: Iterable[str]) -> list[str]:
        """*paths*, and what they import, as far as it is there."""
        found: dict[str, None] = {}
        waiting = list(paths)
        while waiting:
            path = waiting.pop()
            if path not in found and path in self._files:
                found[path] = None
                waiting += self._imports_of(path)
        return list(found)

    def _imports_of(self, path: str) -> list[str]:
        if path not in self._imports:
            self._imports[path] = imports_of(FileDescriptorProto.FromString(self._files[path]))
        return self._imports[path]

    def _shown(self, schema: Schema) -> Mapping[str, bytes]:
        """The files without the hidden services, as far as the others need them."""
        services = [name for name in schema.services if name not in self._hidden]
        roots = {schema.pool.FindServiceByName(name).file.name for name in services}
        return {
            path: _without(self._files[path], self._hidden)
            for path in self._closure([*system().files, *sorted(roots)])
        }


def _declaring(pool: DescriptorPool, full_name: str) -> str | None:
    try:
        path: str = pool.FindFileContainingSymbol(full_name).name
    except KeyError:
        return None
    return path


def _path_of(field: FieldDescriptor) -> str:
    path: str = field.file.name  # type: ignore[attr-defined]  # the stubs forget it
    return path


def _has_method(pool: DescriptorPool, full_name: str) -> bool:
    service, _, method = full_name.rpartition(".")
    try:
        return method in pool.FindServiceByName(service).methods_by_name
    except KeyError:
        return False


def _without(data: bytes, hidden: Collection[str]) -> bytes:
    """The file *data* without the services that are *hidden*; the same bytes if it has none of them."""
    file = FileDescriptorProto.FromString(data)
    prefix = f"{file.package}." if file.package else ""
    kept = [at for at, service in enumerate(file.service) if prefix + service.name not in hidden]
    if len(kept) == len(file.service):
        return data
    services = [file.service[at] for at in kept]
    del file.service[:]
    file.service.extend(services)
    # Comments are found by position: those of services behind a hidden one move up.
    moved = {old: new for new, old in enumerate(kept)}
    locations = list(file.source_code_info.location)
    del file.source_code_info.location[:]
    for location in locations:
        if len(location.path) > 1 and location.path[0] == _SERVICE:
            if location.path[1] not in moved:
                continue
            location.path[1] = moved[location.path[1]]
        file.source_code_info.location.append(location)
    return file.SerializeToString(deterministic=True)
