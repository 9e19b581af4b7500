"""gRPC's test service, as its interop clients expect it."""

from __future__ import annotations

import asyncio

from dynconnect import Code, ConnectError, service

INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"


@service("grpc.testing.TestService")
class TestService:
    async def empty_call(self, request, ctx):
        return {}

    async def unary_call(self, request, ctx):
        _echo_metadata(ctx)
        _raise_status(request)
        return {"payload": {"body": bytes(request.response_size)}}

    async def streaming_output_call(self, request, ctx):
        async for response in _responses(request):
            yield response

    async def streaming_input_call(self, requests, ctx):
        return {"aggregated_payload_size": sum([len(request.payload.body) async for request in requests])}

    async def full_duplex_call(self, requests, ctx):
        _echo_metadata(ctx)
        async for request in requests:
            _raise_status(request)
            async for response in _responses(request):
                yield response


async def _responses(request):
    for wanted in request.response_parameters:
        await asyncio.sleep(wanted.interval_us / 1e6)
        yield {"payload": {"body": bytes(wanted.size)}}


def _echo_metadata(ctx):
    for value in ctx.request_headers.getall(INITIAL):
        ctx.response_headers.add(INITIAL, value)
    for value in ctx.request_headers.getall(TRAILING):
        ctx.response_trailers.add(TRAILING, value)


def _raise_status(request):
    if request.response_status.code:
        raise ConnectError(Code.from_number(request.response_status.code), request.response_status.message)
