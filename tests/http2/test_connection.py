"""The rules of RFC 9113 as a table: what the client sends, and how that ends."""

import pytest

from dynconnect.server.http2 import Limits
from dynconnect.server.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITISED,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Code,
)

from .apps import answer, echo, hello, read
from .peer import GET, POST, Frame, block, connected, data, frame, head, rst, settings, window

REQUEST = head(1, GET, end=True)
OPEN = head(1)
HALF = frame(HEADERS, 0, 1, block(GET))  # no END_HEADERS
REST = block(GET)
SPLIT = frame(HEADERS, 1, 1, REST[:3]) + frame(CONTINUATION, 0, 1, REST[3:5])
MOST = settings(window=2**31 - 1)

# What is wrong with the connection ends it, with a GOAWAY that says how.
FATAL = [
    ("preface is not HTTP/2", b"GET / HTTP/1.1\r\n\r\n", "PROTOCOL_ERROR", False),
    ("preface without SETTINGS", PREFACE + REQUEST, "PROTOCOL_ERROR", False),
    ("preface with an acknowledgement", PREFACE + frame(SETTINGS, ACK), "PROTOCOL_ERROR", False),
    ("frame over 16,384", frame(DATA, 0, 1, bytes(16385)), "FRAME_SIZE_ERROR", True),
    ("6.1 DATA on stream 0", data(0, b"x"), "PROTOCOL_ERROR", True),
    ("6.1 DATA on an idle stream", data(1, b"x"), "PROTOCOL_ERROR", True),
    ("6.1 padding as long as the frame", OPEN + frame(DATA, PADDED, 1, b"\2ab"[:2]), "PROTOCOL_ERROR", True),
    ("6.1 padded frame without length", OPEN + frame(DATA, PADDED, 1), "PROTOCOL_ERROR", True),
    ("6.2 HEADERS on stream 0", head(0), "PROTOCOL_ERROR", True),
    ("5.1.1 even stream", head(2), "PROTOCOL_ERROR", True),
    ("5.1.1 stream that was left out", head(5, end=True) + head(3), "PROTOCOL_ERROR", True),
    ("6.2 padding of HEADERS", frame(HEADERS, PADDED | 4, 1, b"\x09" + REST[:5]), "PROTOCOL_ERROR", True),
    ("6.2 frame in a header block", HALF + frame(PING, payload=bytes(8)), "PROTOCOL_ERROR", True),
    ("6.2 CONTINUATION of another", HALF + frame(CONTINUATION, 4, 3), "PROTOCOL_ERROR", True),
    ("6.10 CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, block(GET)), "PROTOCOL_ERROR", True),
    ("6.3 PRIORITY on stream 0", frame(PRIORITY, 0, 0, bytes(5)), "PROTOCOL_ERROR", True),
    ("6.3 PRIORITY of 4 bytes", frame(PRIORITY, 0, 1, bytes(4)), "FRAME_SIZE_ERROR", True),
    ("7540 5.3.1 PRIORITY on itself", frame(PRIORITY, 0, 1, b"\0\0\0\1\0"), "PROTOCOL_ERROR", True),
    ("6.2 priority cut off", frame(HEADERS, PRIORITISED | END_HEADERS, 1, b"\0\0"), "FRAME_SIZE_ERROR", True),
    ("6.4 RST_STREAM on stream 0", rst(0), "PROTOCOL_ERROR", True),
    ("6.4 RST_STREAM on an idle stream", rst(1), "PROTOCOL_ERROR", True),
    ("6.4 RST_STREAM of 3 bytes", OPEN + frame(RST_STREAM, 0, 1, bytes(3)), "FRAME_SIZE_ERROR", True),
    ("6.5 SETTINGS on a stream", frame(SETTINGS, 0, 1), "PROTOCOL_ERROR", True),
    ("6.5 SETTINGS of 5 bytes", frame(SETTINGS, payload=bytes(5)), "FRAME_SIZE_ERROR", True),
    ("6.5 acknowledgement with contents", frame(SETTINGS, ACK, payload=bytes(6)), "FRAME_SIZE_ERROR", True),
    ("6.5.2 ENABLE_PUSH of 2", settings(push=2), "PROTOCOL_ERROR", True),
    ("6.5.2 window above the largest", settings(window=2**31), "FLOW_CONTROL_ERROR", True),
    ("6.5.2 frame size too small", settings(frame=16383), "PROTOCOL_ERROR", True),
    ("6.5.2 frame size too large", settings(frame=2**24), "PROTOCOL_ERROR", True),
    ("6.9.2 SETTINGS overflow a window", OPEN + window(1, 9) + MOST, "FLOW_CONTROL_ERROR", True),
    ("8.4 PUSH_PROMISE", frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4)), "PROTOCOL_ERROR", True),
    ("6.7 PING of 7 bytes", frame(PING, payload=bytes(7)), "FRAME_SIZE_ERROR", True),
    ("6.7 PING on a stream", frame(PING, 0, 1, bytes(8)), "PROTOCOL_ERROR", True),
    ("6.8 GOAWAY on a stream", frame(GOAWAY, 0, 1, bytes(8)), "PROTOCOL_ERROR", True),
    ("6.8 GOAWAY of 7 bytes", frame(GOAWAY, payload=bytes(7)), "FRAME_SIZE_ERROR", True),
    ("6.9 WINDOW_UPDATE of 0", window(0, 0), "PROTOCOL_ERROR", True),
    ("6.9 WINDOW_UPDATE of 3 bytes", frame(WINDOW_UPDATE, payload=bytes(3)), "FRAME_SIZE_ERROR", True),
    ("6.9 WINDOW_UPDATE on an idle stream", window(1, 1), "PROTOCOL_ERROR", True),
    ("6.9.1 window above 2**31-1", window(0, 2**31 - 1), "FLOW_CONTROL_ERROR", True),
    ("7541 index 0", frame(HEADERS, END_HEADERS, 1, b"\x80"), "COMPRESSION_ERROR", True),
    ("7541 cut-off literal", frame(HEADERS, END_HEADERS, 1, b"\x00\x05ab"), "COMPRESSION_ERROR", True),
    ("7541 table size above ours", frame(HEADERS, 4, 1, b"\x3f\xe2\x1f"), "COMPRESSION_ERROR", True),
]  # fmt: skip

# What is wrong with a stream ends that stream; REFUSED and the rest say how.
BODY = POST | {"content-length": "3"}
TRAILERS = head(1, {"x": "y"}, end=True)


def without(name):
    return {key: value for key, value in GET.items() if key != name}


STREAM = [
    ("5.1 DATA after END_STREAM", REQUEST + data(1, b"x"), "STREAM_CLOSED"),
    ("5.1 HEADERS after END_STREAM", REQUEST + head(1, {"x": "y"}, end=True), "STREAM_CLOSED"),
    ("6.9 WINDOW_UPDATE of 0", OPEN + window(1, 0), "PROTOCOL_ERROR"),
    ("6.9.1 window above 2**31-1", OPEN + window(1, 2**31 - 1), "FLOW_CONTROL_ERROR"),
    ("8.1 trailers that do not end", OPEN + head(1, {"x": "y"}), "PROTOCOL_ERROR"),
    ("8.1 pseudo-header in trailers", OPEN + head(1, {":path": "/"}, end=True), "PROTOCOL_ERROR"),
    ("8.1 trailer in capitals", OPEN + head(1, {"X": "y"}, end=True), "PROTOCOL_ERROR"),
    ("8.1.1 no body", head(1, BODY, end=True), "PROTOCOL_ERROR"),
    ("8.1.1 body too short", head(1, BODY) + data(1, b"ab", end=True), "PROTOCOL_ERROR"),
    ("8.1.1 body too long", head(1, BODY) + data(1, b"ab") + data(1, b"cd"), "PROTOCOL_ERROR"),
    ("8.1.1 trailers too early", head(1, BODY) + data(1, b"ab") + TRAILERS, "PROTOCOL_ERROR"),
    ("8.1.1 content-length of words", head(1, POST | {"content-length": "3a"}), "PROTOCOL_ERROR"),
    ("8.1.1 content-length with a sign", head(1, POST | {"content-length": "+3"}), "PROTOCOL_ERROR"),
    ("8.1.1 two content-lengths", head(1, [*BODY.items(), ("content-length", "4")]), "PROTOCOL_ERROR"),
    ("8.2.1 name in capitals", head(1, GET | {"X-Key": "v"}, end=True), "PROTOCOL_ERROR"),
    ("8.2.1 name with a space", head(1, GET | {"x key": "v"}, end=True), "PROTOCOL_ERROR"),
    ("8.2.1 empty name", head(1, GET | {"": "v"}, end=True), "PROTOCOL_ERROR"),
    ("8.2.1 value with LF", head(1, GET | {"x": "a\nb"}, end=True), "PROTOCOL_ERROR"),
    ("8.2.1 value with NUL", head(1, GET | {"x": "a\0b"}, end=True), "PROTOCOL_ERROR"),
    ("8.2.1 value with outer space", head(1, GET | {"x": " a"}, end=True), "PROTOCOL_ERROR"),
    ("8.2.2 connection", head(1, GET | {"connection": "close"}, end=True), "PROTOCOL_ERROR"),
    ("8.2.2 transfer-encoding", head(1, GET | {"transfer-encoding": "chunked"}, end=True), "PROTOCOL_ERROR"),
    ("8.2.2 te", head(1, GET | {"te": "gzip"}, end=True), "PROTOCOL_ERROR"),
    ("8.3 unknown pseudo-header", head(1, GET | {":foo": "x"}, end=True), "PROTOCOL_ERROR"),
    ("8.3 response's pseudo-header", head(1, GET | {":status": "200"}, end=True), "PROTOCOL_ERROR"),
    ("8.3 pseudo-header after others", head(1, {"x": "y"} | GET, end=True), "PROTOCOL_ERROR"),
    ("8.3.1 no method", head(1, without(":method"), end=True), "PROTOCOL_ERROR"),
    ("8.3.1 method with a space", head(1, GET | {":method": "G T"}, end=True), "PROTOCOL_ERROR"),
    ("8.3.1 no scheme", head(1, without(":scheme"), end=True), "PROTOCOL_ERROR"),
    ("8.3.1 no path", head(1, without(":path"), end=True), "PROTOCOL_ERROR"),
    ("8.3.1 empty path", head(1, GET | {":path": ""}, end=True), "PROTOCOL_ERROR"),
    ("8.3.1 relative path", head(1, GET | {":path": "a"}, end=True), "PROTOCOL_ERROR"),
    ("8.3.1 path with a space", head(1, GET | {":path": "/a b"}, end=True), "PROTOCOL_ERROR"),
    ("8.3.1 star without OPTIONS", head(1, GET | {":path": "*"}, end=True), "PROTOCOL_ERROR"),
    ("8.3.1 two paths", head(1, [*GET.items(), (":path", "/")], end=True), "PROTOCOL_ERROR"),
    ("8.3.1 host against authority", head(1, GET | {"host": "other"}, end=True), "PROTOCOL_ERROR"),
    ("8.5 CONNECT with a path", head(1, GET | {":method": "CONNECT"}, end=True), "PROTOCOL_ERROR"),
]  # fmt: skip


@pytest.mark.parametrize("step", [None, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize(("wire", "code", "greet"), [pytest.param(*c, id=i) for i, *c in FATAL])
async def test_a_connection_error_is_a_goaway_and_the_end(wire, code, greet, step):
    async with connected(echo, greet=greet, step=step) as peer:
        peer.send(wire)
        assert (await peer.goaway()).name == code
        said = len(peer.frames)
        peer.send(head(9, GET, end=True))
        await peer.settle()
        assert len(peer.frames) == said


@pytest.mark.parametrize("step", [None, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize(("wire", "code"), [pytest.param(*c, id=i) for i, *c in STREAM])
async def test_a_stream_error_ends_its_stream_and_no_other(wire, code, step):
    async with connected(hello, step=step) as peer:
        peer.send(wire)
        answer = await peer.answered(1)
        assert answer[-1].kind == RST_STREAM
        assert answer[-1].code.name == code
        assert await peer.alive(3)


# What must be taken although it is unusual.
TAKEN = [
    ("reserved bit", frame(HEADERS, 5, 2**31 + 1, block(GET))),
    ("unknown frame type", frame(0xBE, 0xFF, 77, b"whatever") + REQUEST),
    ("unknown flags", frame(HEADERS, 0xD7 & ~(PADDED | PRIORITISED), 1, block(GET))),
    ("unknown settings", frame(SETTINGS, payload=b"\xff\xff\1\2\3\4") + REQUEST),
    ("padding of HEADERS", frame(HEADERS, PADDED | 5, 1, b"\3" + block(POST) + bytes(3))),
    ("padding of DATA", OPEN + frame(DATA, PADDED | 1, 1, b"\2xyz--")),
    ("padding alone", OPEN + frame(DATA, PADDED, 1, b"\3" + bytes(3)) + data(1, end=True)),
    ("priority in HEADERS", frame(HEADERS, PRIORITISED | 5, 1, b"\x80\0\0\3\x10" + block(GET))),
    ("PRIORITY of an idle stream", frame(PRIORITY, 0, 1, b"\0\0\0\3\x10") + REQUEST),
    ("CONTINUATION", HALF[:4] + b"\1" + HALF[5:] + frame(CONTINUATION, 0, 1) + frame(CONTINUATION, 4, 1)),
    ("trailers", OPEN + data(1, b"x") + head(1, {"x-checksum": "1"}, end=True)),
    ("exact content-length", head(1, BODY) + data(1, b"ab") + data(1, b"c", end=True)),
    ("content-length twice", head(1, [*BODY.items(), ("content-length", "3")]) + data(1, b"abc", end=True)),
    ("te: trailers", head(1, GET | {"te": "trailers"}, end=True)),
    ("the same host twice", head(1, GET | {"host": "test"}, end=True)),
    ("no authority", head(1, {":method": "GET", ":scheme": "http", ":path": "/"}, end=True)),
    ("OPTIONS of all", head(1, GET | {":method": "OPTIONS", ":path": "*"}, end=True)),
    ("a method of their own", head(1, GET | {":method": "PURGE"}, end=True)),
    ("stream numbers with gaps", head(1, end=True) + head(7, end=True)),
    ("largest window", window(1, 1)[:0] + window(0, 2**31 - 1 - 65535) + REQUEST),
    ("GOAWAY of the client", REQUEST + frame(GOAWAY, payload=bytes(8))),
    ("late WINDOW_UPDATE", REQUEST + rst(1) + window(1, 5) + rst(1) + head(3, GET, end=True)),
]  # fmt: skip


@pytest.mark.parametrize("step", [None, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("wire", [pytest.param(wire, id=i) for i, wire in TAKEN])
async def test_what_the_rfc_allows_is_answered(wire, step):
    async with connected(hello, step=step) as peer:
        peer.send(wire)
        stream = 3 if wire.endswith(head(3, GET, end=True)) else 1
        assert (await peer.answered(stream))[-1].ends
        assert peer.status(stream) == 200


async def test_settings_and_pings_are_acknowledged_in_one_write():
    async with connected(hello) as peer:
        await peer.settle()
        peer.frames.clear()
        peer.send(settings(window=70000), frame(PING, payload=b"12345678"))
        await peer.settle()
        assert peer.frames == [Frame(SETTINGS, ACK, 0, b""), Frame(PING, ACK, 0, b"12345678")]


async def test_connect_is_answered_501():
    async with connected(hello) as peer:
        peer.send(head(1, {":method": "CONNECT", ":authority": "test"}))
        await peer.was_reset(1)
        assert peer.status(1) == 501
        assert peer.kinds(1) == "HEADERS+ RST(NO_ERROR)"
        assert await peer.alive(3)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(GET | {"x-big": "v" * 3000}, id="bytes"),
        pytest.param(GET | {f"x-{n}": "" for n in range(20)}, id="count"),
    ],
)
async def test_a_head_above_the_limit_is_answered_431_and_the_tables_stay_right(fields):
    limits = Limits(header_list_bytes=2000, header_count=16)
    async with connected(hello, limits) as peer:
        peer.send(head(1, fields, end=True, encoder=peer.encoder))
        await peer.answered(1)
        assert peer.status(1) == 431
        assert await peer.alive(3)


async def test_one_stream_too_many_is_refused():
    async with connected(hello, Limits(max_concurrent_streams=2)) as peer:
        peer.send(head(1), head(3), head(5), data(3, b"x", end=True))
        assert [f.code for f in await peer.answered(5)] == [Code.REFUSED_STREAM]
        assert (await peer.answered(3))[-1].ends
        assert await peer.alive(7)


async def test_a_smaller_header_table_is_acknowledged_in_the_next_block_only():
    async with connected(hello) as peer:
        peer.send(settings(table=0), head(1, GET, end=True), head(3, GET, end=True))
        first, second = [(await peer.answered(n))[0].payload for n in (1, 3)]
        assert first == b"\x20" + second


async def test_a_known_block_means_the_same_only_while_the_table_does():
    seen = []

    async def app(scope, receive, send):
        seen.append(dict(scope["headers"]).get(b"x"))
        await answer(send)

    async with connected(app) as peer:
        plain = b"\x82\x86\x84"  # GET, http, /
        peer.send(frame(HEADERS, 5, 1, plain + b"\x40\1x\1a"))  # x: a goes into the table, at 62
        peer.send(frame(HEADERS, 5, 3, plain + b"\xbe"), frame(HEADERS, 5, 5, plain + b"\xbe"))
        peer.send(frame(HEADERS, 5, 7, plain + b"\x40\1x\1b"))  # and now x: b is at 62
        peer.send(frame(HEADERS, 5, 9, plain + b"\xbe"))
        peer.send(frame(HEADERS, 5, 11, b"\x20" + plain))  # a size update empties it
        await peer.answered(11)
        peer.send(frame(HEADERS, 5, 13, plain + b"\xbe"))
        assert await peer.goaway() is Code.COMPRESSION_ERROR
    assert seen == [b"a", b"a", b"a", b"b", b"b", None]


async def test_repeated_heads_reach_the_application_each_on_its_own():
    seen = []

    async def app(scope, receive, send):
        scope["headers"].append((b"mine", b"1"))
        scope["extensions"]["mine"] = {}
        seen.append((scope["headers"], sorted(scope["extensions"])))
        await answer(send)

    async with connected(app) as peer:
        for stream in (1, 3, 5):
            peer.send(head(stream, GET | {"x": "y"}, end=True, encoder=peer.encoder))
            await peer.answered(stream)
    extensions = ["dynconnect.early_response", "http.response.trailers", "mine"]
    assert seen == [([(b"host", b"test"), (b"x", b"y"), (b"mine", b"1")], extensions)] * 3


async def test_the_scope_is_asgis():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)
        await answer(send, await read(receive))

    options = {"scheme": "https", "state": {"a": 1}, "tls": {"server_cert": None}, "server": ("here", 1)}
    async with connected(app, **options) as peer:
        cookies = [("cookie", "a=1"), ("x", "\xe9"), ("cookie", "b=2")]
        fields = [*(POST | {":path": "/a%20%C3%A9/b?q=%20&r"}).items(), *cookies]
        peer.send(head(1, fields, end=True))
        await peer.answered(1)
    assert seen == [
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "2",
            "method": "POST",
            "scheme": "https",
            "path": "/a é/b",
            "raw_path": b"/a%20%C3%A9/b",
            "query_string": b"q=%20&r",
            "root_path": "",
            "headers": [(b"host", b"test"), (b"x", "é".encode()), (b"cookie", b"a=1; b=2")],
            "client": ("192.0.2.1", 50000),
            "server": ("here", 1),
            "state": {"a": 1},
            "extensions": {
                "http.response.trailers": {},
                "dynconnect.early_response": {},
                "tls": {"server_cert": None},
            },
        }
    ]


# --- Upgrade (RFC 7540, 3.2) --------------------------------------------------------------------------------

HOST = [(b"Host", b"test"), (b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c")]


async def test_an_upgraded_request_is_stream_1_and_its_settings_count():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["method"], scope["path"], scope["headers"]))
        await answer(send, bytes(10))

    async with connected(app, greet=False) as peer:
        peer.connection.upgrade("GET", b"/up?q", HOST, b"AAQAAAAF")  # a window of 5
        peer.send(PREFACE, settings())
        await peer.settle()
        assert peer.kinds(1) == "HEADERS DATA(5)"
        peer.send(window(1, 5), head(3, GET, end=True))
        assert (await peer.answered(1))[-1].ends
        await peer.settle()
    assert seen == [("GET", path, [(b"host", b"test")]) for path in ("/up", "/")]


@pytest.mark.parametrize(
    ("method", "target", "http2_settings", "code"),
    [
        pytest.param("GET", b"/", b"A", Code.PROTOCOL_ERROR, id="settings are not base64url"),
        pytest.param("GET", b"/", b"AAQA", Code.FRAME_SIZE_ERROR, id="settings are torn"),
        pytest.param("GET", b"/", b"AAT_____", Code.FLOW_CONTROL_ERROR, id="settings are forbidden"),
        pytest.param("GET", b"nowhere", b"", Code.PROTOCOL_ERROR, id="target is relative"),
    ],
)
async def test_a_bad_upgrade_ends_the_connection(method, target, http2_settings, code):
    async with connected(hello, greet=False) as peer:
        peer.connection.upgrade(method, target, HOST, http2_settings)
        assert await peer.goaway() is code
