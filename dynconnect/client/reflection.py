"""A schema from its server: `grpc.reflection.v1`, or `v1alpha` where that is all there is."""

from __future__ import annotations

import logging
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

log = logging.getLogger(__name__)

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
        """Every file of every service that it describes, with what they import."""
        (listed,) = await self._ask([{"list_services": "*"}])
        if _failure(listed):
            raise _error(listed)
        services = [service.name for service in listed.list_services_response.service]
        wanted = [name for name in services if not name.startswith(_OWN)]
        answers = await self._ask([{"file_containing_symbol": name} for name in wanted])
        failed = [(name, answer) for name, answer in zip(wanted, answers, strict=True) if _failure(answer)]
        if failed and len(failed) == len(wanted):
            raise _error(failed[0][1])
        for name, answer in failed:
            log.warning("the server lists %s and does not describe it: %s", name, _failure(answer))
        found: dict[str, bytes] = {}
        while answers:
            imports: set[str] = set()
            for answer in answers:
                for data in answer.file_descriptor_response.file_descriptor_proto:
                    file = FileDescriptorProto.FromString(data)
                    found[file.name] = data
                    imports.update(file.dependency)
            if len(found) > FILES_MAX:
                raise ConnectError(Code.RESOURCE_EXHAUSTED, f"the server has more than {FILES_MAX} files")
            missing = [{"file_by_filename": name} for name in sorted(imports - found.keys())]
            answers = await self._ask(missing) if missing else []
            for answer in filter(_failure, answers):
                raise _error(answer)
        return found.values()

    async def _ask(
        self, questions: Sequence[Mapping[str, str]]
    ) -> list[Any]:  # Any: classes made at run time
        """The answers to *questions*, in one call."""

        async def requests() -> AsyncIterator[Mapping[str, str]]:
            for question in questions:
                yield question

        wire = self._protocol.call(self._method.path, "proto", CallOptions(), streaming=True)
        async with Call(system(), self._method, wire, "proto", self._transport, requests(), None) as call:
            answers = [answer async for answer in call]
        if len(answers) != len(questions):
            text = f"{len(questions)} questions to the server's reflection had {len(answers)} answers"
            raise ConnectError(Code.INTERNAL, text)
        return answers


def _failure(answer: Any) -> str:  # Any: as above
    """What the server says if this is no answer, else nothing."""
    return (
        str(answer.error_response.error_message or "no reason") if answer.HasField("error_response") else ""
    )


def _error(answer: Any) -> ConnectError:  # Any: as above
    return ConnectError(Code.from_number(answer.error_response.error_code), _failure(answer))
