"""hypercorn as the engine: every transport on one port, and an end that comes in time."""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import suppress

import httpx
import pytest
from grpc import StatusCode
from grpc.aio import insecure_channel
from support.serving import GUARD, Certificates, client, running, serving

from dynconnect.server.engines import hypercorn
from dynconnect.server.engines.endpoint import open_endpoint
from dynconnect.server.engines.settings import Settings

ENGINE_LOG = "dynconnect.server.engines.hypercorn"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    # Clients on this machine need no second to close a connection.
    monkeypatch.setattr(hypercorn, "CUT_TIMEOUT", 0.1)


async def read_all(receive):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


class App:
    """Answers by path. `began` is set by a call of /wait or /forever, and `freed` lets /wait go on."""

    def __init__(self):
        self.events = []
        self.began = asyncio.Event()
        self.freed = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.lifespan(receive, send)
        self.scope = scope
        paths = {"/": self.echo, "/wait": self.wait, "/forever": self.forever, "/flood": self.flood}
        return await paths[scope["path"]](receive, send)

    async def lifespan(self, receive, send):
        while True:
            message = await receive()
            self.events.append(message["type"])
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def echo(self, receive, send):
        body = await read_all(receive)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-mine", b"1")]})
        await send({"type": "http.response.body", "body": body})

    async def wait(self, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        self.began.set()
        await self.freed.wait()
        await send({"type": "http.response.body", "body": b"last"})
        self.events.append("call")

    async def forever(self, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        self.began.set()
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self.events.append("call")
            self.ended.set()

    async def flood(self, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.began.set()
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
        finally:
            self.events.append("call")


TRANSPORTS = [
    pytest.param(False, False, ("http", "1.1"), id="HTTP/1.1"),
    pytest.param(True, False, ("http", "2"), id="HTTP/2 by prior knowledge"),
    pytest.param(False, True, ("https", "1.1"), id="HTTP/1.1 over TLS"),
    pytest.param(True, True, ("https", "2"), id="HTTP/2 by ALPN"),
]


@pytest.mark.parametrize(("http2", "tls", "expected"), TRANSPORTS)
async def test_one_port_speaks_every_transport(certificates, http2, tls, expected):
    app = App()
    async with running(app, **(certificates.server if tls else {})) as server:
        async with client(server.url, http2=http2, verify=certificates.trusting()) as http:
            answer = await http.post("/", content=b"hello")
        assert (answer.status_code, answer.content, answer.headers["x-mine"]) == (200, b"hello", "1")
        assert (app.scope["scheme"], app.scope["http_version"]) == expected
        assert app.scope["server"][1] == server.port
    assert "server" not in answer.headers, "which program answers is nobody's business"


async def test_http_2_has_trailers_and_http_1_has_none():
    app = App()
    async with serving(app) as url:
        for http2 in (True, False):
            async with client(url, http2=http2) as http:
                await http.post("/")
            assert ("http.response.trailers" in app.scope["extensions"]) is http2


async def test_a_client_without_a_certificate_is_refused_where_one_is_asked_for(certificates, tmp_path):
    (tmp_path / "other").mkdir()
    stranger = certificates.trusting()
    other = Certificates(tmp_path / "other")
    stranger.load_cert_chain(other.client_cert, other.client_key)
    async with serving(App(), **certificates.server, tls_client_ca=certificates.authority) as url:
        for context in (certificates.trusting(), stranger):
            async with client(url, verify=context) as http:
                with pytest.raises((httpx.TransportError, ssl.SSLError)):
                    await http.post("/")
        async with client(url, verify=certificates.trusting(identified=True)) as http:
            assert (await http.post("/")).status_code == 200


async def test_plain_http_on_a_tls_port_harms_nobody(certificates, caplog):
    caplog.set_level(logging.INFO, "dynconnect")
    async with serving(App(), **certificates.server) as url:
        async with client(url.replace("https", "http")) as http:
            with pytest.raises(httpx.TransportError):
                await http.post("/")
        async with client(url, verify=certificates.trusting()) as http:
            assert (await http.post("/")).status_code == 200
    assert [record for record in caplog.records if record.name != "httpx"] == []


@pytest.mark.parametrize("http2", [False, True])
async def test_a11_the_idle_timer_spares_a_connection_with_a_call(http2):
    app = App()
    async with (
        running(app, idle_timeout=0.05) as server,
        client(server.url, http2=http2) as http,
        http.stream("POST", "/wait") as answer,
    ):
        await app.began.wait()
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            assert await reader.read() == b"", "an idle connection is closed"
            writer.close()
            await writer.wait_closed()
        app.freed.set()
        assert await answer.aread() == b"first last"


async def test_a11_a_connection_may_have_more_than_a_thousand_calls():
    async with running(App()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n" * 1100)
        for _ in range(1100):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"
        writer.close()
        await writer.wait_closed()


async def test_a_connect_get_may_be_long():
    app = App()
    async with serving(app) as url, client(url) as http:
        assert (await http.get("/", params={"message": "x" * 60_000})).status_code == 200
        assert len(app.scope["query_string"]) > 60_000


async def test_the_application_starts_before_the_first_call_and_stops_after_the_last():
    app = App()
    async with running(app) as server, client(server.url) as http:
        async with http.stream("POST", "/wait") as answer:
            await app.began.wait()
            server.begin_stop()
            app.freed.set()
            assert await answer.aread() == b"first last"
        await server.task
    assert app.events == ["lifespan.startup", "call", "lifespan.shutdown"]


async def test_a12_an_application_without_lifespan_is_served():
    app = App()

    async def deaf(scope, receive, send):
        assert scope["type"] == "http"
        await app(scope, receive, send)

    async with serving(deaf) as url, client(url) as http:
        assert (await http.post("/")).status_code == 200


async def test_an_application_that_cannot_start_is_not_served():
    async def broken(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(Exception, match="no database"):
        async with serving(broken):
            pass


async def test_an_application_that_fails_to_stop_is_heard(caplog):
    async def sticky(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "still busy"})

    async with serving(sticky):
        pass
    assert "still busy" in caplog.text


# Stopping.


# httpx takes a GOAWAY for the end of everything, even of calls that it spares: h2 takes no frame after
# it. So it stops only the stock layer, which drops frames in turn; ours is stopped under grpcio below.
STOCK = {"http2": "hypercorn"}


async def refused(port):
    """Wait until connections are refused, which tells that the stop has begun."""
    with suppress(ConnectionError):
        while True:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()


@pytest.mark.parametrize(("http2", "tls", "_"), TRANSPORTS)
async def test_idle_connections_do_not_delay_the_end(certificates, http2, tls, _):
    settings = {"grace": GUARD, **STOCK, **(certificates.server if tls else {})}
    async with (
        running(App(), **settings) as server,
        client(server.url, http2=http2, verify=certificates.trusting()) as http,
    ):
        await http.post("/")
        async with asyncio.timeout(GUARD / 2):
            await server.stop()


@pytest.mark.parametrize("http2", [False, True])
async def test_a_call_may_end_while_the_server_drains(http2):
    app = App()
    async with running(app, grace=GUARD, **STOCK) as server, client(server.url, http2=http2) as http:
        async with http.stream("POST", "/wait") as answer:
            await app.began.wait()
            server.begin_stop()
            await refused(server.port)
            app.freed.set()
            assert await answer.aread() == b"first last"
        async with asyncio.timeout(GUARD):
            await server.task


@pytest.mark.parametrize(("http2", "tls", "_"), TRANSPORTS)
async def test_a_stream_that_does_not_end_is_cut_and_its_handler_tidies_up(certificates, http2, tls, _):
    app = App()
    settings = {"grace": 0.05, **STOCK, **(certificates.server if tls else {})}
    async with (
        running(app, **settings) as server,
        client(server.url, http2=http2, verify=certificates.trusting()) as http,
        http.stream("POST", "/forever") as answer,
    ):
        await app.began.wait()
        await server.stop()
        with pytest.raises(httpx.TransportError):
            await answer.aread()
    assert app.events == ["lifespan.startup", "call", "lifespan.shutdown"]


async def test_a_call_by_grpcio_may_end_while_our_http_2_drains():
    app = App()
    async with running(app, grace=GUARD) as server, insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = channel.stream_stream("/wait")(timeout=GUARD)
        await call.done_writing()
        await app.began.wait()
        server.begin_stop()
        await refused(server.port)
        assert not server.task.done()
        app.freed.set()
        await server.task
    assert app.events == ["lifespan.startup", "call", "lifespan.shutdown"]


async def test_a_stream_of_grpcio_is_cut_and_its_handler_tidies_up():
    app = App()
    async with running(app, grace=0.05) as server, insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = channel.stream_stream("/forever")(timeout=GUARD)
        await app.began.wait()
        await server.stop()
        assert await call.code() is not StatusCode.OK
    assert app.events == ["lifespan.startup", "call", "lifespan.shutdown"]


@pytest.mark.parametrize("layer", ["own", "hypercorn"])
async def test_the_http_2_layer_is_the_one_that_is_asked_for(layer):
    app = App()
    async with running(app, http2=layer) as server, client(server.url, http2=True) as http:
        assert (await http.post("/")).http_version == "HTTP/2"
    # Ours alone copes with an answer that comes before its request has ended, and says so.
    assert ("dynconnect.early_response" in app.scope["extensions"]) is (layer == "own")


@pytest.mark.parametrize("tls", [False, True])
async def test_a_client_that_does_not_read_cannot_keep_the_server(certificates, tls):
    app = App()
    settings = {"grace": 0.05, **(certificates.server if tls else {})}
    async with running(app, **settings) as server:
        context = certificates.trusting() if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, limit=1)
        writer.write(b"POST /flood HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n")
        await reader.readexactly(1)
        await server.stop()
        writer.transport.abort()
    assert app.events == ["lifespan.startup", "call", "lifespan.shutdown"]


async def test_a_handler_that_ignores_its_cancellation_cannot_keep_the_server():
    app, released = App(), asyncio.Event()

    async def stubborn(scope, receive, send):
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        app.began.set()
        while not released.is_set():
            with suppress(asyncio.CancelledError):
                await released.wait()

    async with running(stubborn, grace=0.05) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await app.began.wait()
        await server.stop()
        released.set()
        writer.close()
        await writer.wait_closed()


# Noise.


async def test_clients_that_vanish_are_no_news(caplog):
    caplog.set_level(logging.INFO, "dynconnect")
    app = App()
    async with running(app) as server:
        for _ in range(3):
            app.began.clear()
            app.ended.clear()
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST /forever HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n")
            await app.began.wait()
            writer.transport.abort()
            await app.ended.wait()
    assert caplog.text == ""


async def test_a_fault_of_the_engine_is_one_line_and_ends_one_connection(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "dynconnect")
    real = hypercorn.TCPServer.run
    faults = [ExceptionGroup("unhandled", [KeyError(7)]), ExceptionGroup("unhandled", [ssl.SSLError("gone")])]

    async def run(self):
        if faults:
            raise faults.pop()
        await real(self)

    monkeypatch.setattr(hypercorn.TCPServer, "run", run)
    async with serving(App()) as url, client(url) as http:
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                await http.post("/")
        assert (await http.post("/")).status_code == 200
    [record] = [record for record in caplog.records if record.name == ENGINE_LOG]
    assert "KeyError(7)" in record.getMessage()
    assert record.exc_info is None


async def test_nothing_is_served_before_it_is_ready():
    ready = []
    with open_endpoint(Settings(port=0)) as endpoint:

        async def stop():
            ready.append("served")

        await hypercorn.serve(App(), endpoint, on_ready=lambda: ready.append("ready"), stop=stop)
    assert ready == ["ready", "served"]
