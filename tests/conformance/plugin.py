"""The service that the conformance runner calls, written as any user writes a plugin.

What each method does is told by the comments of `service.proto` in the runner's module.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from dynconnect import Code, ConnectError, ErrorDetail, service

# Their numbers are those of gRPC's status codes.
_CODES = {code.number: code for code in Code}


@service("connectrpc.conformance.v1.ConformanceService")
class Conformance:
    """`Unimplemented` has no handler here: that is what its cases expect."""

    async def unary(self, request, ctx):
        return await _one_response(request.response_definition, [request], ctx)

    async def idempotent_unary(self, request, ctx):
        return await _one_response(request.response_definition, [request], ctx)

    async def client_stream(self, requests, ctx):
        received = [request async for request in requests]
        # Only the first message defines the response; without one there is nothing to answer but the echo.
        definition = received[0].response_definition if received else None
        return await _one_response(definition, received, ctx)

    async def server_stream(self, request, ctx):
        definition = request.response_definition
        _set_metadata(definition, ctx)
        info = _request_info([request], ctx)
        if definition.response_data:
            await ctx.send_headers()
        for at, data in enumerate(definition.response_data):
            await _delay(definition)
            yield _payload(data, info if at == 0 else None)
        _raise_if_defined(definition, None if definition.response_data else info, ctx)

    async def bidi_stream(self, requests, ctx):
        definition, full_duplex, sent, received = None, False, 0, []
        async for request in requests:
            received.append(request)
            if definition is None:
                definition, full_duplex = request.response_definition, request.full_duplex
                _set_metadata(definition, ctx)
                if full_duplex and definition.response_data:
                    await ctx.send_headers()
            if not full_duplex:
                continue
            if sent == len(definition.response_data):
                break
            await _delay(definition)
            yield _payload(definition.response_data[sent], _echo(received, sent, ctx))
            sent, received = sent + 1, []
        if definition is None:
            return
        if definition.response_data and not full_duplex:
            await ctx.send_headers()
        for data in definition.response_data[sent:]:
            await _delay(definition)
            yield _payload(data, _echo(received, sent, ctx) if sent == 0 else None)
            sent += 1
        _raise_if_defined(definition, None if sent else _request_info(received, ctx), ctx)


async def _one_response(definition, requests, ctx):
    info = _request_info(requests, ctx)
    if definition is None:
        return _payload(b"", info)
    _set_metadata(definition, ctx)
    await _delay(definition)
    _raise_if_defined(definition, info, ctx)
    return _payload(definition.response_data, info)


def _set_metadata(definition, ctx):
    for headers, into in (
        (definition.response_headers, ctx.response_headers),
        (definition.response_trailers, ctx.response_trailers),
    ):
        for header in headers:
            for value in header.value:
                into.add(header.name, value)


async def _delay(definition):
    if definition.response_delay_ms:
        await asyncio.sleep(definition.response_delay_ms / 1000)


def _raise_if_defined(definition, info, ctx):
    """Raise the error that *definition* asks for, with *info* as its last detail."""
    if not definition.HasField("error"):
        return
    error = definition.error
    details = [ErrorDetail(any_.type_url.rpartition("/")[2], any_.value) for any_ in error.details]
    if info is not None:
        details.append(ctx.method.output(**_payload(b"", info)).payload.request_info)
    raise ConnectError(_CODES[error.code], error.message, details)


def _payload(data, info):
    return {"payload": {"data": data, "request_info": info}}


def _echo(requests, sent, ctx):
    """What a full-duplex response tells of its requests: everything only in the first one."""
    return {"requests": [_any(request) for request in requests]} if sent else _request_info(requests, ctx)


def _request_info(requests, ctx):
    info = {
        "request_headers": [
            {"name": name, "value": ctx.request_headers.getall(name)} for name in ctx.request_headers
        ],
        "requests": [_any(request) for request in requests],
    }
    if ctx.timeout_ms is not None:
        info["timeout_ms"] = int(ctx.timeout_ms)
    if ctx.http_method == "GET":
        query = parse_qsl(ctx.query_string, keep_blank_values=True)
        info["connect_get_info"] = {
            "query_params": [{"name": name, "value": [value]} for name, value in query]
        }
    return info


def _any(message):
    return {
        "type_url": f"type.googleapis.com/{message.DESCRIPTOR.full_name}",
        "value": message.SerializeToString(deterministic=True),
    }
