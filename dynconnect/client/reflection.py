"""A schema from its server: `grpc.reflection.v1`, or `v1alpha` where that is all there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from dynconnect.client.call import Call
from dynconnect.client.transport import Transport
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.schema.schema import Schema, system
from dynconnect.schema.sources import Source
from dynconnect.wire.base import CallOptions, Protocol

_SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
_METHOD = "ServerReflectionInfo"
_OWN = ("grpc.reflection.", "grpc.health.")
REFLECTION = "reflection"
"""What the origin of such files is called."""
FILES_MAX = 10_000
"""How many files a server may have."""


async def reflected(transport: Transport, protocol: Protocol) -> Schema:
    """What the server behind *transport* serves.

    Raises:
        ConnectError: it can't be asked.
        FindingsError: what it answers is no whole schema.
    """
    said = ""
    for service in _SERVICES:
        try:
            files = await _Server(transport, protocol, service).files()
        except ConnectError as exc:
            if exc.code is not Code.UNIMPLEMENTED:
                raise
            said = exc.message
        else:
            return Schema([Source(REFLECTION, tuple(files))])
    raise ConnectError(Code.UNIMPLEMENTED, f"the server has no reflection, so name its schema: {said}")


class _Server:
    """One that is asked."""

    def __init__(self, transport: Transport, protocol: Protocol, service: str) -> None:
        self._transport = transport
        self._protocol = protocol
        self._method = system().methods[f"/{service}/{_METHOD}"]

    async def files(self) -> Iterable[bytes]:
        """Every file of every service, with what they import."""
        (listed,) = await self._ask([{"list_services": "*"}])
        services = [service.name for service in listed.list_services_response.service]
        found: dict[str, bytes] = {}
        wanted = [{"file_containing_symbol": name} for name in services if not name.startswith(_OWN)]
        while wanted:
            imports: set[str] = set()
            for answer in await self._ask(wanted):
                for data in answer.file_descriptor_response.file_descriptor_proto:
                    file = FileDescriptorProto.FromString(data)
                    found[file.name] = data
                    imports.update(file.dependency)
            if len(found) > FILES_MAX:
                raise ConnectError(Code.RESOURCE_EXHAUSTED, f"the server has more than {FILES_MAX} files")
            wanted = [{"file_by_filename": name} for name in sorted(imports - found.keys())]
        return found.values()

    async def _ask(
        self, questions: Sequence[Mapping[str, str]]
    ) -> list[Any]:  # Any: classes made at run time
        """The answers to *questions*, in one call."""

        async def requests() -> AsyncIterator[Mapping[str, str]]:
            for question in questions:
                yield question

        wire = self._protocol.call(self._method.path, "proto", CallOptions(), streaming=True)
        answers = []
        async with Call(system(), self._method, wire, "proto", self._transport, requests(), None) as call:
            async for answer in call:
                if answer.HasField("error_response"):
                    error = answer.error_response
                    raise ConnectError(Code.from_number(error.error_code), error.error_message)
                answers.append(answer)
        return answers
