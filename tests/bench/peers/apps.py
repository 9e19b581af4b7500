"""ASGI applications: connectrpc, and one that does nothing with what it reads."""

from __future__ import annotations

from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.server import ConnectASGIApplication, Endpoint
from messages import REPEATED, SERVICE, compiled
from protobuf.wkt import FileDescriptorSet

_TRAILERS = [(b"grpc-status", b"0")]


async def nothing(scope, receive, send):
    """Give back the bytes of the request, with the head and the trailers that a server would send."""
    message = await receive()
    parts = [message["body"]]
    while message["more_body"]:
        message = await receive()
        parts.append(message["body"])
    body = b"".join(parts)
    kind = next(value for name, value in scope["headers"] if name == b"content-type")
    trailers = kind.startswith(b"application/grpc") and not kind.startswith(b"application/grpc-web")
    second = (b"grpc-accept-encoding", b"gzip") if trailers else (b"content-length", b"%d" % len(body))
    headers = [(b"content-type", kind), second]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": trailers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
    if trailers:
        await send({"type": "http.response.trailers", "headers": _TRAILERS})


class Bench:
    async def echo(self, request, _ctx):
        return request

    async def repeat(self, request, _ctx):
        for _ in range(REPEATED):
            yield request

    async def last(self, requests, _ctx):
        async for request in requests:
            found = request
        return found


class _Connectrpc(ConnectASGIApplication):
    path = f"/{SERVICE}"


def _endpoints(bench):
    note = FileDescriptorSet.from_binary(compiled()).to_registry().message("bench.v1.Note").type
    shapes = {
        "Echo": (Endpoint.unary, StreamType.UNARY, bench.echo),
        "Repeat": (Endpoint.server_stream, StreamType.SERVER_STREAM, bench.repeat),
        "Last": (Endpoint.client_stream, StreamType.CLIENT_STREAM, bench.last),
    }
    return {
        f"/{SERVICE}/{name}": endpoint(
            MethodInfo(
                name=name,
                service_name=SERVICE,
                input=note,
                output=note,
                idempotency_level=IdempotencyLevel.UNKNOWN,
                stream_type=stream_type,
            ),
            handler,
        )
        for name, (endpoint, stream_type, handler) in shapes.items()
    }


connectrpc = _Connectrpc(service=Bench(), endpoints=_endpoints)
