"""What goes wrong on the way to a server is said in words; and TLS."""

from __future__ import annotations

import asyncio
import socket

import pytest
from support import schema
from support.serving import Certificates, serving

from dynconnect.client import Client
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.server.asgi import Server

NOTES = schema.SERVICE
every_protocol = pytest.mark.parametrize("protocol", ["connect", "grpc", "grpcweb"])


async def echo(request, _ctx):
    return request


@pytest.fixture
def app():
    return Server(schema.generation({"Echo": echo}))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("tls"))


async def failure(url, **options):
    async with Client(url, schema=schema.schema(), **options) as client:
        with pytest.raises(ConnectError) as raised:
            await client.call(f"{NOTES}/Echo", {"text": "hi"})
    return raised.value


@every_protocol
async def test_a_host_that_is_down_is_unavailable(protocol):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = await failure(f"http://127.0.0.1:{port}", protocol=protocol)
    assert error.code is Code.UNAVAILABLE
    assert str(port) in error.message
    assert "refused" in error.message


@every_protocol
async def test_a_page_is_no_answer(protocol):
    async def page(scope, receive, send):
        head = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        await send(head)
        await send({"type": "http.response.body", "body": b"<html>"})

    async with serving(page) as url:
        error = await failure(url, protocol=protocol, http="2")
    assert error.code is Code.UNKNOWN
    assert "text/html" in error.message


async def test_tls_on_a_plain_port_is_unavailable(app):
    async with serving(app) as url:
        error = await failure(url.replace("http:", "https:"))
    assert error.code is Code.UNAVAILABLE
    assert "https:" in error.message


async def test_an_authority_that_is_not_trusted_is_unavailable(app, certificates):
    async with serving(app, **certificates.server) as url:
        error = await failure(url)
    assert error.code is Code.UNAVAILABLE
    assert "certificate" in error.message.lower()


VERSIONS = [
    *(("connect", http) for http in ("1.1", "2", None)),
    *(("grpc", http) for http in ("2", None)),  # it needs HTTP/2
    *(("grpcweb", http) for http in ("1.1", "2", None)),
]


@pytest.mark.parametrize(("protocol", "http"), VERSIONS)
async def test_tls_and_each_version(app, certificates, protocol, http):
    options = {"protocol": protocol, "http": http, "ca": certificates.authority}
    async with (
        serving(app, **certificates.server) as url,
        Client(url, schema=schema.schema(), **options) as client,
    ):
        assert (await client.call(f"{NOTES}/Echo", {"text": "hi"})).text == "hi"


async def test_a_client_certificate_is_shown(app, certificates):
    settings = {**certificates.server, "tls_client_ca": certificates.authority}
    async with serving(app, **settings) as url:
        refused = await failure(url, ca=certificates.authority)
        assert refused.code is Code.UNAVAILABLE
        cert, key = certificates.client_cert, certificates.client_key
        async with Client(
            url, schema=schema.schema(), ca=certificates.authority, cert=cert, key=key
        ) as client:
            assert (await client.call(f"{NOTES}/Echo", {"text": "hi"})).text == "hi"


async def test_a_server_that_dies_during_a_call_is_unavailable():
    async def die(reader, writer):
        await reader.read(10)
        writer.close()

    server = await asyncio.start_server(die, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        error = await failure(f"http://127.0.0.1:{port}")
    assert error.code is Code.UNAVAILABLE
