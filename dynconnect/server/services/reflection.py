"""The service ServerReflection, of grpc.reflection.v1 and v1alpha: the same messages in two packages.

Source: grpc/reflection/v1/reflection.proto, and "GRPC Server Reflection Protocol".
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from dynconnect.rpc.code import Code
from dynconnect.rpc.context import Context
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.handler import Requests
from dynconnect.schema.symbols import Symbols
from dynconnect.server.services.ending import Ending

SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
METHOD = "ServerReflectionInfo"

_NOT_FOUND = 5  # gRPC's number of the code


class Reflection:
    """Its handler, for one generation.

    Args:
        services: full names of those to be listed.
        symbols: all that may be asked for.
    """

    def __init__(self, services: Sequence[str], symbols: Symbols, ending: Ending) -> None:
        self._services = services
        self._symbols = symbols
        self._ending = ending

    async def info(self, requests: Requests, ctx: Context) -> AsyncGenerator[Any, None]:
        # Any: message classes are made at run time; those of either package.
        """An answer to each request, in their order, before the next one is awaited."""
        while True:
            try:
                request = await self._ending.wait_for(anext(requests))
            except StopAsyncIteration:
                return
            answer = ctx.method.output(valid_host=request.host, original_request=request)
            try:
                self._fill(answer, request)
            except LookupError as error:
                answer.error_response.error_code = _NOT_FOUND
                answer.error_response.error_message = str(error.args[0])
            yield answer

    def _fill(self, answer: Any, request: Any) -> None:  # Any: as above
        files = answer.file_descriptor_response.file_descriptor_proto
        match request.WhichOneof("message_request"):
            case "file_by_filename":
                files.extend(self._symbols.file(request.file_by_filename))
            case "file_containing_symbol":
                files.extend(self._symbols.symbol(request.file_containing_symbol))
            case "file_containing_extension":
                wanted = request.file_containing_extension
                files.extend(self._symbols.extension(wanted.containing_type, wanted.extension_number))
            case "all_extension_numbers_of_type":
                name = request.all_extension_numbers_of_type
                numbers = answer.all_extension_numbers_response
                numbers.extension_number.extend(self._symbols.extension_numbers(name))
                numbers.base_type_name = name
            case "list_services":
                listed = answer.list_services_response.service
                for service in self._services:
                    listed.add(name=service)
            case _:
                raise ConnectError(Code.INVALID_ARGUMENT, "message_request is not set")
