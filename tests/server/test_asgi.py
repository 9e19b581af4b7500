"""The application as an ASGI server sees it: what it answers, to whom, and from where."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode

import pytest
from support import schema
from support.asgi import Request, http_scope
from support.calls import call, get, outcome, serve
from support.clock import settle, virtual_time
from support.dialects import DIALECTS, envelope
from support.peer import texts
from support.schema import packed

CONNECT, GRPC, WEB = DIALECTS
every_protocol = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@pytest.fixture(autouse=True)
async def clock():
    with virtual_time() as clock:
        yield clock
    assert asyncio.all_tasks() == {asyncio.current_task()}, "T7"


# What is answered.


@every_protocol
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(
    ("method", "sent", "expected"),
    [
        ("Echo", ["ab"], ["AB"]),
        ("Count", ["abc"], ["a", "b", "c"]),
        ("Sum", ["ab", "c"], ["abc"]),
        ("Chat", ["ab", "c"], ["AB", "C"]),
    ],
)
async def test_each_shape_is_served_over_each_protocol(dialect, early, method, sent, expected):
    assert texts(await outcome(call(serve(), dialect, method, *sent, early=early))) == expected


@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
@pytest.mark.parametrize("dialect", [CONNECT, WEB], ids=["connect", "grpcweb"])
async def test_r10_r11_connect_and_grpc_web_are_served_on_every_http_version(dialect, version):
    for method in ("Echo", "Chat"):
        request = call(serve(), dialect, method, "a", http_version=version, trailers=False)
        assert texts(await outcome(request)) == ["A"]


async def test_r10_a4_grpc_without_trailers_is_505():
    for scope in ({"http_version": "1.1"}, {"trailers": False}, {"extensions": None}, {"http_version": "?"}):
        answer = await call(serve(), GRPC, "Echo", "a", **scope).run()
        assert (answer.status, answer.headers, answer.body) == (505, [("content-length", "0")], b"")


async def test_r11_bidi_over_http_1_can_be_switched_off():
    answer = await call(serve(http1_bidi=False), CONNECT, "Chat", "a", http_version="1.1").run()
    assert (answer.status, answer.values("connection")) == (505, ["close"])


@pytest.mark.parametrize(
    ("method", "kind", "expected"),
    [
        ("Echo", "application/proto", "application/proto"),
        ("Echo", "application/json; charset=UTF-8", "application/json"),
        ("Chat", "application/connect+json", "application/connect+json"),
        ("Echo", "application/grpc", "application/grpc+proto"),
        ("Echo", "application/grpc+json", "application/grpc+json"),
        ("Chat", "application/grpc-web", "application/grpc-web+proto"),
        ("Echo", "application/grpc-web+json", "application/grpc-web+json"),
        ("Echo", "application/grpc-web-text", "application/grpc-web-text+proto"),
    ],
)
async def test_r4_the_answer_has_the_protocol_and_the_codec_of_the_request(method, kind, expected):
    message = b"{}" if "json" in kind else b""
    bare = kind.startswith(("application/proto", "application/json"))
    body = message if bare else envelope(message)
    body = b64encode(body) if "text" in kind else body
    request = Request(serve(), http_scope(schema.path(method), headers={"content-type": kind}))
    answer = await request.end(body).run()
    assert (answer.status, answer.values("content-type")) == (200, [expected])
    assert answer.trailers == [] or ("grpc-status", "0") in answer.trailers


async def test_k13_e1_messages_are_found_wherever_the_pieces_of_a_body_fall():
    body = b"".join(envelope(packed(text)) for text in ("ab", "c", ""))
    for step in (1, 2, 7, len(body)):
        pieces = [body[at : at + step] for at in range(0, len(body), step)]
        assert texts(await outcome(call(serve(), GRPC, "Sum", *pieces))) == ["abc"]


async def test_u1_a_unary_body_may_come_in_pieces():
    message = packed("abc")
    pieces = [message[at : at + 1] for at in range(len(message))]
    assert texts(await outcome(call(serve(), CONNECT, "Echo", *pieces))) == ["ABC"]


async def test_r7_g1_a_method_without_side_effects_answers_a_get():
    answer = await get(serve(), "encoding=json&message=%7B%22text%22%3A%22a%22%7D").end().run()
    assert (answer.status, json.loads(answer.body)) == (200, {"text": "A"})


async def test_r12_a_get_that_has_a_body_without_saying_so_is_415():
    answer = await get(serve(), "encoding=json&message=%7B%7D").push(b"x").end().run()
    assert (answer.status, answer.body) == (415, b"")


@pytest.mark.parametrize(
    ("method", "verb", "status"),
    [("Echo", "HEAD", 405), ("Echo", "GET", 405), ("Look", "HEAD", 405), ("Chat", "OPTIONS", 405)],
)
async def test_r7_other_verbs_are_405_without_a_body(method, verb, status):
    answer = await Request(serve(), http_scope(schema.path(method), method=verb)).end().run()
    assert (answer.status, answer.body) == (status, b"")
    assert "POST" in answer.values("allow")[0]


async def test_r5_a_foreign_content_type_is_415_and_no_rpc():
    answer = await call(serve(), CONNECT, "Echo", headers={"content-type": "image/jpeg"}).run()
    assert (answer.status, answer.body) == (415, b"")
    assert "application/grpc-web" in answer.values("accept-post")[0]


async def test_r8_an_unknown_path_is_404_in_words_and_not_not_found():
    request = Request(serve(), http_scope("/no.Such/Method", headers={"content-type": "application/json"}))
    answer = await request.end().run()
    assert answer.status == 404
    assert answer.values("content-type") == ["text/plain; charset=utf-8"]
    assert b"/no.Such/Method" in answer.body
    assert b"not_found" not in answer.body
    assert int(answer.values("content-length")[0]) == len(answer.body)


async def test_r8_a8_a_request_to_an_unknown_path_is_read_before_it_is_refused():
    request = Request(serve(), http_scope("/no.Such/Method", early=False)).push(b"x").start()
    await settle()
    assert not request.sent
    assert (await request.end().finished()).status == 404


async def test_r8_a_head_of_an_unknown_path_is_404_without_a_body():
    answer = await Request(serve(), http_scope("/", method="HEAD")).end().run()
    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize("dialect", [GRPC, WEB], ids=["grpc", "grpcweb"])
@pytest.mark.parametrize("early", [False, True])
async def test_r8_an_unknown_method_of_grpc_is_unimplemented(dialect, early):
    request = Request(serve(), http_scope("/test.v1.Notes/Missing", headers=dialect.head(False), early=early))
    await request.end(envelope(packed("a"))).run()
    found = dialect.read(request.answer, False)
    assert (found.code, found.message) == ("unimplemented", "there is no method /test.v1.Notes/Missing")


@every_protocol
async def test_r9_a_method_without_a_handler_is_unimplemented(dialect):
    found = await outcome(call(serve({}), dialect, "Echo", "a"))
    assert (found.code, found.message) == ("unimplemented", "test.v1.Notes.Echo has no handler")


async def test_r14_the_version_of_connect_is_checked_and_may_be_required():
    async def code(version, **options):
        request = call(serve(**options), CONNECT, "Echo", "a", headers={"connect-protocol-version": version})
        return (await outcome(request)).code

    assert await code("1") == await code("") == "ok"
    assert await code("2") == "invalid_argument"
    assert await code("", require_connect_protocol_version=True) == "invalid_argument"
    assert await code("1", require_connect_protocol_version=True) == "ok"


# Where it is mounted, and what stands behind it.


@pytest.mark.parametrize(
    ("raw_path", "root_path", "status"),
    [
        ("/test.v1.Notes/Echo", "", 200),
        ("/api/v1/test.v1.Notes/Echo", "/api/v1", 200),
        ("/api/test.v1.Notes/Echo", "/api/", 200),
        ("/test.v1.Notes/Echo", "/api", 200),
        ("/api/test.v1.Notes/Echo", "", 404),
        ("/apitest.v1.Notes/Echo", "/api", 404),
        ("/test.v1.Notes%2FEcho", "", 404),
        ("/test.v1.Notes/%45cho", "", 404),
        ("/test.v1.Notes/Echo/", "", 404),
        (None, "", 200),
    ],
)
async def test_r1_the_raw_path_counts_and_a_mount_prefix_is_taken_off(raw_path, root_path, status):
    raw = None if raw_path is None else raw_path.encode()
    request = call(serve(), CONNECT, "Echo", "a", raw_path=raw, root_path=root_path)
    assert (await request.run()).status == status


async def test_a_path_that_is_no_rpc_goes_to_the_fallback_untouched():
    seen = []

    async def page(scope, receive, send):
        seen.append((scope, receive, send))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})

    request = Request(serve(fallback=page), http_scope("/", method="GET"))
    assert (await request.run()).body == b"page"
    assert seen == [(request.scope, request.receive, request.send)]
    assert texts(await outcome(call(serve().wrap(page), CONNECT, "Echo", "a"))) == ["A"]


async def lifespan(app, *messages):
    """What *app* sends during a lifespan of these *messages*."""
    incoming, sent = iter(messages), []

    async def receive():
        return {"type": next(incoming)}

    async def send(message):
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    return sent


async def test_a12_lifespan_events_are_answered():
    events = ("lifespan.startup", "lifespan.shutdown")
    assert await lifespan(serve(), *events) == [f"{event}.complete" for event in events]


async def test_a12_a_fallback_has_a_lifespan_of_its_own():
    async def page(scope, receive, send):
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.startup.failed"})

    assert await lifespan(serve(fallback=page), "lifespan.startup") == ["lifespan.startup.failed"]


async def test_a_websocket_is_refused():
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await serve()({"type": "websocket", "path": "/"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


# What a handler learns.


async def test_the_context_says_who_asks_whom_and_how():
    seen = []

    async def look(request, ctx):
        seen.append(
            f"{ctx.protocol} {ctx.http_method} {ctx.client_address} {ctx.server_address} "
            f"{ctx.generation} {ctx.method.name} {ctx.query_string}"
        )
        return {}

    app = serve({"Look": look, "Echo": look})
    await call(app, GRPC, "Look", "").run()
    await call(app, WEB, "Echo", "", client=("2001:db8::1", 443), server=("/run/rpc.sock", None)).run()
    await get(app, "encoding=json&message={}", client=None, server=None).end().run()
    assert seen == [
        "grpc POST 192.0.2.7:50123 192.0.2.1:8080 1 Look ",
        "grpcweb POST [2001:db8::1]:443 /run/rpc.sock 1 Echo ",
        "connect GET None None 1 Look encoding=json&message={}",
    ]


@every_protocol
async def test_d2_d6_metadata_with_odd_bytes_comes_through_and_can_be_echoed(dialect):
    odd = "na\u00efve " + "☃".encode().decode("latin-1")

    async def echo_headers(request, ctx):
        for value in ctx.request_headers.getall("x-odd"):
            ctx.response_headers.add("x-odd", value)
            ctx.response_trailers.add("x-odd", value)
        return {}

    request = call(serve({"Echo": echo_headers}), dialect, "Echo", "a")
    request.scope["headers"] += [(b"x-odd", odd.encode("latin-1")), (b"x-odd", b"a, b")]
    found = await outcome(request)
    assert (found.code, found.headers) == ("ok", {"x-odd": [odd, "a, b"]})


@every_protocol
async def test_x4_the_log_names_the_call_that_the_caller_was_told(dialect, caplog):
    async def broken(request, ctx):
        ctx.log.warning("about to fail")
        raise RuntimeError("secret")

    found = await outcome(call(serve({"Echo": broken}), dialect, "Echo", "a"))
    [name] = {**found.headers, **found.trailers}["dynconnect-error-id"]
    warning, error = caplog.messages
    assert warning == f"[Echo {name}] about to fail"
    assert name in error
    assert "secret" not in found.message


@every_protocol
async def test_e7_a_head_that_is_sent_early_is_flushed_while_the_handler_works(dialect):
    go_on = asyncio.Event()

    async def slow(request, ctx):
        ctx.response_headers["x-early"] = "1"
        await ctx.send_headers()
        await go_on.wait()
        yield {"text": "done"}

    request = call(serve({"Count": slow}), dialect, "Count", "a").start()
    head = await request.head()
    assert (b"x-early", b"1") in head["headers"]
    await request.until(lambda: request.of("http.response.body"))
    assert request.of("http.response.body") == [
        {"type": "http.response.body", "body": b"", "more_body": True}
    ]
    go_on.set()
    await request.finished()
    assert texts(request.read()) == ["done"]
