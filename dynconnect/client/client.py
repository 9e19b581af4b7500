"""The dynamic client: any method of any server, by its name."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from dynconnect.client.call import Call
from dynconnect.client.transport import Transport
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.rpc.metadata import Metadata, Pairs
from dynconnect.schema.finding import nearest
from dynconnect.schema.load import load
from dynconnect.schema.method import Method
from dynconnect.schema.schema import Schema
from dynconnect.wire.base import CallOptions, Offer, Protocol
from dynconnect.wire.compression import available
from dynconnect.wire.connect import Connect
from dynconnect.wire.grpc import Grpc, GrpcWeb

ProtocolName: TypeAlias = Literal["connect", "grpc", "grpcweb"]
CodecName: TypeAlias = Literal["proto", "json"]


class Client:
    """Calls methods of the server at *url*, over the connections of one pool.

    Args:
        url: ``http://host:port``, or ``https://``; or a `Transport`.
        schema: what the server serves: a `Schema`, or files as `dynconnect serve` takes them. Without one the
            server is asked, by reflection, when it is first needed.
        protocol: ``connect``, ``grpc`` or ``grpcweb``.
        codec: ``proto`` or ``json``.
        compress: the name of what requests are packed with, such as ``gzip``; None is nothing.
        limits: of which `read_max_bytes` holds for responses, and `send_max_bytes` for requests.
        metadata: sent with every call.
        timeout: seconds for every call that names no other; None is no limit.
        get: call methods without side effects by GET, which caches may answer; Connect alone can.
        http: the version; by default TLS decides, and without TLS gRPC has 2 and the others have 1.1.
        ca: the authorities that may have signed the server's certificate, in PEM, instead of the system's; a
            file, or its content, as the two that follow.
        cert: a certificate for this client, in PEM.
        key: its private key, in PEM, where it is not in *cert*.

    Raises:
        FindingsError: *schema* can't be read.
        ValueError: there is no such compression.
    """

    def __init__(
        self,
        url: str | Transport,
        *,
        schema: Schema | str | Iterable[str] | None = None,
        protocol: ProtocolName = "connect",
        codec: CodecName = "proto",
        compress: str | None = None,
        limits: Limits | None = None,
        metadata: Mapping[str, str] | Pairs = (),
        timeout: float | None = None,
        get: bool = False,
        http: Literal["1.1", "2", "3"] | None = None,
        ca: Path | bytes | None = None,
        cert: Path | bytes | None = None,
        key: Path | bytes | None = None,
    ) -> None:
        known = available()
        if compress is not None and compress not in known:
            raise ValueError(f"there is no compression {compress!r}: there are {', '.join(known)}")
        offer = Offer(limits or Limits(), known)
        protocols: dict[str, Protocol] = {
            "connect": Connect(offer),
            "grpc": Grpc(offer),
            "grpcweb": GrpcWeb(offer),
        }
        self._protocol = protocols[protocol]
        self._codec = codec
        self._compress = None if compress is None else known[compress]
        self._metadata = Metadata(metadata)
        self._timeout = timeout
        self._get = get
        self._schema = _schema(schema)
        if isinstance(url, str):
            from dynconnect.client.http import HttpTransport  # with an extra of ours

            if http is None and protocol == "grpc" and url.startswith("http:"):
                http = "2"
            self._transport: Transport = HttpTransport(url, version=http, ca=ca, cert=cert, key=key)
        else:
            self._transport = url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of all connections."""
        await self._transport.aclose()

    async def schema(self) -> Schema:
        """What the server serves.

        Raises:
            ConnectError: the server can't be asked.
            FindingsError: what it answers is no whole schema.
        """
        if self._schema is None:
            from dynconnect.client.reflection import reflected

            self._schema = await reflected(self._transport, self._protocol)
        return self._schema

    async def call(
        self,
        method: str,
        request: object = None,
        *,
        metadata: Mapping[str, str] | Pairs = (),
        timeout: float | None = None,  # noqa: ASYNC109  it is told to the server, and so not the caller's to wait for
    ) -> Any:  # Any: message classes are made at run time
        """The one response of *method*, ``package.Service/Method``.

        *request* is a message, or a mapping of field names; for a client stream an iterable of them.

        Raises:
            ConnectError: the call has failed.
            LookupError: there is no such method.
            TypeError: a request does not fit, or the method answers with a stream.
        """
        call = await self.stream(method, request, metadata=metadata, timeout=timeout)
        if call.method.server_streaming:
            raise TypeError(f"{method} answers with a stream: use stream()")
        return await call.single()

    async def stream(
        self,
        method: str,
        requests: object = None,
        *,
        metadata: Mapping[str, str] | Pairs = (),
        timeout: float | None = None,  # noqa: ASYNC109  as above
    ) -> Call:
        """A call of *method*, of any shape, whose responses are iterated over.

        Raises:
            LookupError: there is no such method.
        """
        schema = await self.schema()
        found = find_method(schema, method)
        timeout = self._timeout if timeout is None else timeout
        sent = Metadata(self._metadata)
        sent.extend(metadata)
        options = CallOptions(timeout, sent, self._compress, self._get and found.no_side_effects)
        wire = self._protocol.call(found.path, self._codec, options, streaming=found.streaming)
        return Call(schema, found, wire, self._codec, self._transport, _requests(found, requests), timeout)


def find_method(schema: Schema, name: str) -> Method:
    """The method ``package.Service/Method``, or ``package.Service.Method``, of *schema*.

    Raises:
        LookupError: there is none; the text has the nearest name.
    """
    service, _, method = name.strip("/").replace("/", ".").rpartition(".")
    found = schema.methods.get(f"/{service}/{method}")
    if found is not None:
        return found
    if service in schema.services:
        known = [each.name for each in schema.services[service]]
        close, what = nearest(method, known), f"{service} has no method {method}"
        hint = f"; did you mean {service}/{close}?" if close else f"; it has {', '.join(known)}"
    else:
        known = [path.strip("/") for path in schema.methods]
        close, what = nearest(f"{service}/{method}", known), f"there is no service {service}"
        hint = f"; did you mean {close}?" if close else f"; there are {', '.join(schema.services) or 'none'}"
    raise LookupError(what + hint)


def _schema(given: Schema | str | Iterable[str] | None) -> Schema | None:
    if given is None or isinstance(given, Schema):
        return given
    return Schema(load([given] if isinstance(given, str) else list(given)))


async def _requests(method: Method, given: object) -> AsyncIterator[Any]:  # Any: as above
    """What was *given* for requests of *method*, one by one."""
    if not method.client_streaming:
        yield {} if given is None else given
    elif isinstance(given, AsyncIterable):
        async for request in given:
            yield request
    elif isinstance(given, Iterable) and not isinstance(given, Mapping):
        for request in given:
            yield request
    elif given is not None:
        raise ConnectError(Code.INVALID_ARGUMENT, f"{method.full_name} takes a stream of requests")
