"""Our HTTP/2 inside hypercorn: each way in, and hypercorn's own promises."""

import asyncio
import contextlib
import logging
import socket
import ssl

import grpc.aio
import httpx
import hypercorn.protocol
import pytest
import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded
from hypercorn.asyncio import serve
from hypercorn.config import Config

from dynconnect.server.engines import hypercorn_http2

from .apps import answer, grpc_echo, read


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    elif scope["path"].startswith("/echo"):
        await grpc_echo(scope, receive, send)
    elif scope["path"] == "/slow":
        app.began.set()
        await app.go.wait()
        await answer(send, b"slow")
    else:
        await read(receive)
        body = f"{scope['scheme']} {scope['http_version']} {scope['path']}"
        await answer(send, body.encode())


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    monkeypatch.setattr(hypercorn.protocol, "H2Protocol", hypercorn.protocol.H2Protocol)
    assert hypercorn_http2.install() is None
    app.began, app.go = asyncio.Event(), asyncio.Event()


@contextlib.asynccontextmanager
async def served(**options):
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    config = Config.from_mapping(options)
    config.bind = [f"fd://{sock.detach()}"]
    config.errorlog = logging.getLogger("hypercorn.error")
    stop = asyncio.Event()
    task = asyncio.ensure_future(serve(app, config, shutdown_trigger=stop.wait))
    try:
        yield port, stop, task
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


def http_2(**options):
    return httpx.AsyncClient(http1=False, http2=True, **options)


async def test_grpcio_calls_with_prior_knowledge():
    async with served() as (port, *_), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/echo/Unary")
        found = await asyncio.gather(*(call(b"%d" % n, timeout=10) for n in range(50)))
        assert found == [b"%d" % n for n in range(50)]


async def test_tls_with_alpn(tmp_path):
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    options = {"certfile": str(tmp_path / "pem"), "keyfile": str(tmp_path / "pem")}
    async with served(**options) as (port, *_), http_2(verify=context) as client:
        found = await client.post(f"https://localhost:{port}/tls", content=b"x" * 200_000)
        assert (found.http_version, found.text) == ("HTTP/2", "https 2 /tls")


async def test_upgrade_from_http_1():
    client = H2Connection(H2Configuration(client_side=True))
    settings = client.initiate_upgrade_connection()
    async with served() as (port, *_):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /upgraded HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: " + settings + b"\r\n\r\n"
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.write(client.data_to_send())
        events = []
        while not any(isinstance(event, StreamEnded) for event in events):
            events += client.receive_data(await asyncio.wait_for(reader.read(65536), 5))
            writer.write(client.data_to_send())
        assert [event.data for event in events if isinstance(event, DataReceived)] == [b"http 2 /upgraded"]
        writer.close()
        await writer.wait_closed()


async def test_http_1_is_still_hypercorns():
    async with served() as (port, *_), httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/one")).text == "http 1.1 /one"


async def test_hypercorns_idle_clock_does_not_count():
    async with served(keep_alive_timeout=0.01) as (port, *_), http_2() as client:
        calling = asyncio.ensure_future(client.get(f"http://127.0.0.1:{port}/slow"))
        await app.began.wait()
        await asyncio.wait([calling], timeout=0.1)
        app.go.set()
        assert (await calling).text == "slow"


# By gRPC, as httpx takes GOAWAY for the end of everything: h2 takes no frame after it.


async def test_shutdown_waits_for_the_calls_that_run():
    async with served() as (port, stop, task), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.stream_stream("/echo/Bidi")(timeout=10)
        for number in range(3):
            await call.write(b"%d" % number)
            assert await call.read() == b"%d" % number
            stop.set()
        assert not task.done()
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK
        await asyncio.wait_for(task, 5)


async def test_shutdown_cuts_calls_that_take_too_long():
    address = served(graceful_timeout=2)
    async with address as (port, stop, task), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.stream_stream("/echo/Bidi")(timeout=10)
        await call.write(b"x")
        await call.read()
        stop.set()
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.wait_for(task, 5)


async def test_the_access_log_and_hypercorns_headers_are_kept(caplog):
    caplog.set_level(logging.INFO)
    async with served(accesslog=logging.getLogger("hypercorn.access")) as (port, *_), http_2() as client:
        found = await client.get(f"http://127.0.0.1:{port}/logged")
        assert found.headers["server"] == "hypercorn-h2"
    assert '"GET /logged 2" 200' in caplog.text


async def test_unknown_hosts_are_refused_if_names_are_set():
    async with served(server_names=["known"]) as (port, *_), http_2() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 404


def test_another_hypercorn_keeps_its_own_http_2_and_says_why(monkeypatch):
    stock = hypercorn.protocol.H2Protocol._stock
    monkeypatch.setattr(hypercorn.protocol, "H2Protocol", stock)
    monkeypatch.setattr(hypercorn_http2, "version", lambda name: "0.19.1")
    assert hypercorn_http2.install() == (
        "hypercorn 0.19.1 is not known (only 0.18.x); its own HTTP/2 is used"
    )
    assert hypercorn.protocol.H2Protocol is stock
