"""A schema: a private pool with its classes, methods and codecs.

It is built once, in whatever thread, and never changes; dropped, it is freed with all its classes by
the garbage collector.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from google.protobuf.message import Message

from dynconnect.rpc.errors import ConnectError
from dynconnect.schema import details
from dynconnect.schema.codec import Binary, Codec, Json
from dynconnect.schema.json.options import JsonOptions
from dynconnect.schema.method import Method
from dynconnect.schema.pool import build, flat_class
from dynconnect.schema.sources import Source
from dynconnect.schema.system import sources as system_sources

_OPTIONS = "google.protobuf.MethodOptions"


class Schema:
    """What descriptor sets declare, ready to serve.

    Args:
        sources: the sets, in any order; their imports are completed from protobuf and
            googleapis-common-protos.

    Raises:
        SchemaError: with everything that is wrong.

    Attributes:
        pool: the descriptors; nothing else is ever added to it.
        files: from import path to original bytes, each after its imports.
        origins: from import path to the path of its set, or the module it was completed from.
        services: from full name to methods in declared order; those of completed imports are left out.
        methods: the same methods by HTTP path, ``/package.Service/Method``.
        hash: of the contents, in hex; the order of the sources does not matter.
        codecs: by name, ``proto`` and ``json``.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self.pool, files, given = build(sources)
        self.files: Mapping[str, bytes] = MappingProxyType({name: file.data for name, file in files.items()})
        self.origins: Mapping[str, str] = MappingProxyType(
            {name: file.origin for name, file in files.items()}
        )
        self._classes: dict[str, type[Message]] = {}
        self.services: Mapping[str, tuple[Method, ...]] = MappingProxyType(
            dict(sorted(self._services(given)))
        )
        self.methods: Mapping[str, Method] = MappingProxyType(
            {method.path: method for methods in self.services.values() for method in methods}
        )
        self.hash = _hash(self.files)
        self._codecs: dict[JsonOptions, Mapping[str, Codec]] = {}
        self._json = Json(self.find_message_class)
        self.codecs = self.codecs_with(JsonOptions())

    def message_class(self, full_name: str) -> type[Message]:
        """The class of the message *full_name*, made at first use, the same one each time.

        Raises:
            LookupError: the schema has no such message.
        """
        found = self._classes.get(full_name)
        if found is None:
            try:
                descriptor = self.pool.FindMessageTypeByName(full_name)
            except (KeyError, TypeError):  # TypeError: a peer's name that is no Unicode
                raise LookupError(f"no message {full_name} in the schema") from None
            # Two threads may come here at once: upb gives both the one class of the descriptor.
            found = self._classes[full_name] = flat_class(descriptor)
        return found

    def codecs_with(self, options: JsonOptions) -> Mapping[str, Codec]:
        """The codecs by name, of which that of JSON has *options*."""
        if options not in self._codecs:
            plain = options == JsonOptions()
            codecs = (Binary(), self._json if plain else Json(self.find_message_class, options))
            self._codecs[options] = MappingProxyType({codec.name: codec for codec in codecs})
        return self._codecs[options]

    def find_message_class(self, full_name: str) -> type[Message] | None:
        """The class of the message *full_name* in this schema, else in the system schema, else None."""
        for schema in (self, system()):
            try:
                return schema.message_class(full_name)
            except LookupError:
                continue
        return None

    def pack(self, error: ConnectError) -> ConnectError:
        """*error* with each detail as an ErrorDetail, with `debug` where its type is known.

        What cannot be packed is left out and logged.
        """
        return details.pack(error, self.find_message_class, self._json.to_value)

    def _services(self, given: frozenset[str]) -> Iterable[tuple[str, tuple[Method, ...]]]:
        # GetOptions() answers in the default pool's class, which knows no custom options.
        options = self.message_class(_OPTIONS)
        for name in given:
            for service in self.pool.FindFileByName(name).services_by_name.values():
                yield (
                    service.full_name,
                    tuple(
                        Method(
                            method,
                            options.FromString(method.GetOptions().SerializeToString()),
                            self.message_class,
                        )
                        for method in service.methods
                    ),
                )


def _hash(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


_system: list[Schema] = []
_system_lock = threading.Lock()


def system() -> Schema:
    """The schema of health, reflection and error messages: one for all generations, built at first use."""
    with _system_lock:
        if not _system:
            _system.append(Schema(system_sources()))
        return _system[0]
