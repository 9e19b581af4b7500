"""uvicorn as the engine: what its connections do that hypercorn's do too, and what ours add to them."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from contextlib import suppress

import httpx
import pytest
from grpc import StatusCode
from grpc.aio import insecure_channel
from support.serving import GUARD, Certificates, client, running, serving

pytest.importorskip("uvicorn")
pytest.importorskip("httptools")

from dynconnect.server.engines import uvicorn
from dynconnect.server.http2.frames import PREFACE

UVICORN = {"engine": "uvicorn"}
OPEN = {"status": 200, "headers": []}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    # Clients on this machine need no second to close a connection.
    monkeypatch.setattr(uvicorn, "CUT_TIMEOUT", 0.1)


class App:
    """Answers by path. `began` is set by a call of /wait or /forever, and `freed` lets /wait go on."""

    def __init__(self):
        self.events = []
        self.scopes = []
        self.began, self.freed, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
            return
        self.scopes.append(scope)
        paths = {"/": self.echo, "/wait": self.wait, "/forever": self.forever, "/flood": self.flood}
        await paths[scope["path"]](receive, send)

    async def lifespan(self, scope, receive, send):
        scope["state"]["shared"] = 1
        for _ in range(2):
            message = await receive()
            self.events.append(message["type"])
            await send({"type": f"{message['type']}.complete"})

    async def echo(self, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await send({"type": "http.response.start", **OPEN})
        await send({"type": "http.response.body", "body": body})

    async def wait(self, receive, send):
        await send({"type": "http.response.start", **OPEN})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        self.began.set()
        await self.freed.wait()
        await send({"type": "http.response.body", "body": b"last"})
        self.events.append("call")

    async def forever(self, receive, send):
        await send({"type": "http.response.start", **OPEN})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        self.began.set()
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self.events.append("call")
            self.ended.set()

    async def flood(self, receive, send):
        await send({"type": "http.response.start", **OPEN})
        self.began.set()
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
        finally:
            self.events.append("call")


async def told(port, *pieces):
    """All that the server answers to *pieces* before it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    try:
        async with asyncio.timeout(GUARD):
            return await reader.read()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


TRANSPORTS = [
    pytest.param(False, False, ("http", "1.1"), id="HTTP/1.1"),
    pytest.param(True, False, ("http", "2"), id="HTTP/2 by prior knowledge"),
    pytest.param(False, True, ("https", "1.1"), id="HTTP/1.1 over TLS"),
    pytest.param(True, True, ("https", "2"), id="HTTP/2 by ALPN"),
]


@pytest.mark.parametrize(("http2", "tls", "expected"), TRANSPORTS)
async def test_one_port_speaks_every_transport(certificates, http2, tls, expected):
    app = App()
    async with (
        running(app, **UVICORN, **(certificates.server if tls else {})) as server,
        client(server.url, http2=http2, verify=certificates.trusting()) as http,
    ):
        for body in (b"hello", bytes(200_000)):
            answer = await http.post("/", content=body)
            assert (answer.status_code, answer.content) == (200, body)
    scope = app.scopes[0]
    assert (scope["scheme"], scope["http_version"]) == expected
    assert scope["server"][1] == server.port
    assert scope["state"] == {"shared": 1}
    assert ("http.response.trailers" in scope.get("extensions", ())) is http2
    assert "server" not in answer.headers, "which program answers is nobody's business"
    assert len(answer.headers.get_list("date")) == 1


async def test_a_client_without_a_certificate_is_refused_where_one_is_asked_for(certificates):
    settings = {**certificates.server, "tls_client_ca": certificates.authority}
    async with serving(App(), **UVICORN, **settings) as url:
        async with client(url, verify=certificates.trusting()) as http:
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                await http.post("/")
        async with client(url, verify=certificates.trusting(identified=True)) as http:
            assert (await http.post("/")).status_code == 200


async def test_the_preface_is_known_wherever_its_pieces_fall():
    async with running(App(), **UVICORN) as server:
        for cut in (1, 3, 23):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(PREFACE[:cut])
            await asyncio.sleep(0)
            writer.write(PREFACE[cut:] + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
            assert (await reader.readexactly(9))[3] == 4, "SETTINGS"
            writer.close()
            await writer.wait_closed()
        assert (await told(server.port, b"PRI * HTTP/2.0\r\nnot it\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


# Upgrade.

OFFER = b"host: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: %s\r\n"
SETTINGS = base64.urlsafe_b64encode(bytes((0, 4, 0, 1, 0, 0))).rstrip(b"=")


async def test_a_first_request_without_a_body_may_upgrade_to_http_2():
    app = App()
    async with running(app, **UVICORN) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /?q HTTP/1.1\r\n" + OFFER % SETTINGS + b"\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.write(PREFACE + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
        kinds = set()
        while not {1, 4} <= kinds:  # HEADERS, SETTINGS
            head = await reader.readexactly(9)
            kinds.add(head[3])
            await reader.readexactly(int.from_bytes(head[:3]))
        writer.close()
        await writer.wait_closed()
    [scope] = app.scopes
    assert (scope["http_version"], scope["method"], scope["query_string"]) == ("2", "GET", b"q")


@pytest.mark.parametrize(
    "offer",
    [
        pytest.param(OFFER % SETTINGS, id="h2c, with a body"),
        pytest.param(b"host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n", id="websocket"),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
async def test_an_offer_that_is_not_taken_is_answered_over_http_1(offer, apart):
    head = b"POST / HTTP/1.1\r\n" + offer + b"content-length: 3\r\n\r\n"
    pieces = [head, b"abc"] if apart else [head + b"abc"]
    last = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\ndef"
    app = App()
    async with running(app, **UVICORN) as server:
        answer = await told(server.port, *pieces, last)
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert b"abc" in answer
    assert b"def" in answer


async def test_connect_is_refused():
    async with running(App(), **UVICORN) as server:
        answer = await told(server.port, b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


# Limits.


async def test_a_connect_get_may_be_long():
    app = App()
    async with serving(app, **UVICORN) as url, client(url) as http:
        assert (await http.get("/", params={"message": "x" * 60_000})).status_code == 200
    assert len(app.scopes[0]["query_string"]) > 60_000


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET / HTTP/1.1\r\nx: " + b"a" * 2000 + b"\r\n\r\n", id="whole"),
        pytest.param(b"GET / HTTP/1.1\r\nx: " + b"a" * 2000, id="a field without end"),
        pytest.param(b"GET /" + b"a" * 2000, id="a target without end"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 400, id="fields without end"),
    ],
)
async def test_a_head_over_the_limit_is_refused(head):
    app = App()
    async with running(app, **UVICORN, head_max_bytes=1000) as server:
        assert (await told(server.port, head)).startswith(b"HTTP/1.1 431 ")
    assert not app.scopes


CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"


async def test_trailers_of_a_request_are_no_headers():
    app = App()
    async with running(app, **UVICORN) as server:
        assert (await told(server.port, CHUNKED + b"0\r\nx: y\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert b"x" not in dict(app.scopes[0]["headers"])


async def test_trailers_of_a_request_over_the_limit_are_refused_and_the_call_ends():
    lifespan, began, ended = App(), asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await lifespan(scope, receive, send)
            return
        while (message := await receive())["type"] != "http.disconnect":
            if message["body"]:
                began.set()
        ended.set()

    async with running(app, **UVICORN, head_max_bytes=1000) as server, asyncio.timeout(GUARD):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(CHUNKED)
        await began.wait()  # so that the trailers are a read of their own, wherever they are cut
        writer.write(b"0\r\nx: " + b"y" * 2000)
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
        await ended.wait()
        writer.close()
        await writer.wait_closed()


async def test_what_is_no_http_is_refused():
    async with running(App(), **UVICORN) as server:
        assert (await told(server.port, b"\x16\x03\x01 hello\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "start", [b"", b"PRI * ", b"GET / HTTP/1.1\r\nhost"], ids=["none", "preface", "head"]
)
async def test_a_connection_that_begins_no_call_is_closed_in_time(start):
    async with running(App(), **UVICORN, idle_timeout=0.05) as server:
        assert await told(server.port, start) == b""


@pytest.mark.parametrize("http2", [False, True])
async def test_a11_the_idle_timer_spares_a_connection_with_a_call(http2):
    app = App()
    async with (
        running(app, **UVICORN, idle_timeout=0.05) as server,
        client(server.url, http2=http2) as http,
        http.stream("POST", "/wait") as answer,
    ):
        await app.began.wait()
        for _ in range(3):
            assert await told(server.port) == b""
        app.freed.set()
        assert await answer.aread() == b"first last"


async def test_an_idle_connection_is_closed_after_its_call():
    async with running(App(), **UVICORN, idle_timeout=0.05) as server:
        answer = await told(server.port, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a11_pipelined_calls_are_answered_in_turn():
    async with running(App(), **UVICORN) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n" * 1100)
        for _ in range(1100):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("queued", [0, 2])
async def test_clients_that_vanish_are_no_news_and_end_their_calls(caplog, queued):
    caplog.set_level(logging.INFO, "dynconnect")
    app = App()
    async with running(app, **UVICORN) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /forever HTTP/1.1\r\nhost: x\r\n\r\n")
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * queued)
        await app.began.wait()
        writer.transport.abort()
        async with asyncio.timeout(GUARD):
            await app.ended.wait()
    assert caplog.text == ""


# Starting and stopping.


async def test_the_application_starts_before_the_first_call_and_stops_after_the_last():
    app = App()
    async with running(app, **UVICORN) as server, client(server.url) as http:
        async with http.stream("POST", "/wait") as answer:
            await app.began.wait()
            server.begin_stop()
            app.freed.set()
            assert await answer.aread() == b"first last"
        await server.task
    assert app.events == ["lifespan.startup", "call", "lifespan.shutdown"]


@pytest.mark.parametrize(("http2", "tls", "_"), TRANSPORTS)
async def test_idle_connections_do_not_delay_the_end(certificates, http2, tls, _):
    settings = {"grace": GUARD, **(certificates.server if tls else {})}
    async with (
        running(App(), **UVICORN, **settings) as server,
        client(server.url, http2=http2, verify=certificates.trusting()) as http,
    ):
        await http.post("/")
        async with asyncio.timeout(GUARD / 2):
            await server.stop()


@pytest.mark.parametrize("tls", [False, True])
async def test_a_stream_over_http_1_that_does_not_end_is_cut_and_its_handler_tidies_up(
    certificates, tls, caplog
):
    app = App()
    settings = {"grace": 0.05, **(certificates.server if tls else {})}
    async with (
        running(app, **UVICORN, **settings) as server,
        client(server.url, verify=certificates.trusting()) as http,
        http.stream("POST", "/forever") as answer,
    ):
        await app.began.wait()
        await server.stop()
        with pytest.raises(httpx.TransportError):
            await answer.aread()
    assert app.events == ["lifespan.startup", "call", "lifespan.shutdown"]
    assert [record.getMessage() for record in caplog.records] == ["calls cut after 0.05 s: 1"]


async def test_a_call_by_grpcio_may_end_while_the_server_drains():
    app = App()
    async with (
        running(app, **UVICORN, grace=GUARD) as server,
        insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        call = channel.stream_stream("/wait")(timeout=GUARD)
        await call.done_writing()
        await app.began.wait()
        server.begin_stop()
        with suppress(ConnectionError):
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.close()
        assert not server.task.done()
        app.freed.set()
        await server.task
    assert app.events == ["lifespan.startup", "call", "lifespan.shutdown"]


async def test_a_stream_of_grpcio_is_cut_and_its_handler_tidies_up():
    app = App()
    async with (
        running(app, **UVICORN, grace=0.05) as server,
        insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        call = channel.stream_stream("/forever")(timeout=GUARD)
        await app.began.wait()
        await server.stop()
        assert await call.code() is not StatusCode.OK
    assert app.events == ["lifespan.startup", "call", "lifespan.shutdown"]


@pytest.mark.parametrize("tls", [False, True])
async def test_a_client_that_does_not_read_cannot_keep_the_server(certificates, tls):
    app = App()
    settings = {"grace": 0.05, **(certificates.server if tls else {})}
    async with running(app, **UVICORN, **settings) as server:
        context = certificates.trusting() if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, limit=1)
        writer.write(b"POST /flood HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n")
        await reader.readexactly(1)
        await server.stop()
        writer.transport.abort()
    assert app.events == ["lifespan.startup", "call", "lifespan.shutdown"]


async def test_an_application_without_a_call_for_us_is_heard(caplog):
    async def broken(scope, receive, send):
        raise ValueError("no idea")

    async with serving(broken, **UVICORN) as url, client(url) as http:
        assert (await http.get("/")).status_code == 500
    assert "no idea" in caplog.text
