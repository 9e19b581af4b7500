"""CORS, over an application that answers whatever a test wants."""

from __future__ import annotations

import pytest
from support.asgi import Request, http_scope
from support.schema import generation, note, packed, path

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.server.asgi import Server
from dynconnect.server.cors import Cors, parse_origin

PAGE = "https://app.example.com"
PREFLIGHT = {"origin": PAGE, "access-control-request-method": "POST"}
BASE_REQUEST_HEADERS = {
    *("content-type", "connect-protocol-version", "connect-timeout-ms", "connect-content-encoding"),
    *("connect-accept-encoding", "content-encoding", "accept-encoding", "grpc-timeout"),
    *("grpc-message-type", "x-grpc-web", "x-user-agent"),
}
BASE_RESPONSE_HEADERS = {
    *("grpc-status", "grpc-message", "grpc-status-details-bin"),
    *("content-encoding", "connect-content-encoding"),
}


def answering(*headers, status=200):
    """An application that answers with *headers*."""

    async def app(scope, receive, send):
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": b"it answered"})

    return app


async def ask(app, headers, method="POST", path_="/"):
    return await Request(app, http_scope(path_, method=method, headers=headers)).end().run()


def names(answer, header):
    """The names that *header* lists."""
    return {name.strip().lower() for value in answer.values(header) for name in value.split(",")}


async def notes(request, ctx):
    ctx.response_headers["x-cost"] = "3"
    ctx.response_trailers["x-rest"] = "97"
    if request.text == "fail":
        raise ConnectError(Code.NOT_FOUND, "no such note")
    return note("ok")


@pytest.fixture
def server():
    return Server(generation({"Echo": notes, "Look": notes}))


async def test_b1_a_preflight_is_answered_without_the_application():
    answer = await ask(Cors(answering(), [PAGE]), PREFLIGHT, "OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.values("access-control-allow-origin") == [PAGE]


@pytest.mark.parametrize("headers", [{}, {"origin": PAGE}, {"access-control-request-method": "POST"}])
async def test_b1_options_that_are_no_preflight_are_the_applications(server, headers):
    answer = await ask(Cors(server, [PAGE]), headers, "OPTIONS", path("Echo"))
    assert answer.status == 405


async def test_b1_with_cors_off_a_preflight_is_refused(server):
    assert (await ask(server, PREFLIGHT, "OPTIONS", path("Echo"))).status == 405


@pytest.mark.parametrize("origin", ["https://evil.example.com", "https://app.example.com:8443", "null"])
async def test_b1_a_preflight_from_elsewhere_is_told_nothing(origin):
    answer = await ask(Cors(answering(), [PAGE]), {**PREFLIGHT, "origin": origin}, "OPTIONS")
    assert answer.status == 204
    assert [name for name, _ in answer.headers if name.startswith("access-control-")] == []


async def test_b2_methods_and_headers_of_the_protocols_are_allowed():
    answer = await ask(Cors(answering(), [PAGE]), PREFLIGHT, "OPTIONS")
    assert names(answer, "access-control-allow-methods") == {"post", "get"}
    assert names(answer, "access-control-allow-headers") == BASE_REQUEST_HEADERS


async def test_b2_configured_headers_are_allowed_besides():
    app = Cors(answering(), [PAGE], allow_headers=["Authorization", "x-tenant"])
    answer = await ask(app, PREFLIGHT, "OPTIONS")
    allowed = names(answer, "access-control-allow-headers")
    assert allowed == BASE_REQUEST_HEADERS | {"authorization", "x-tenant"}


WANTED = [
    pytest.param("authorization, X-Tenant,content-type", {"authorization", "x-tenant"}, id="named"),
    pytest.param(" ,, ", set(), id="empty"),
    pytest.param("x\x00y", set(), id="no name"),
    pytest.param("a: b", set(), id="no list"),
]


@pytest.mark.parametrize(("wanted", "added"), WANTED)
async def test_b2_any_header_means_those_that_are_asked_for(wanted, added):
    app = Cors(answering(), [PAGE], allow_headers=["*"])
    headers = {**PREFLIGHT, "access-control-request-headers": wanted}
    answer = await ask(app, headers, "OPTIONS")
    assert names(answer, "access-control-allow-headers") == BASE_REQUEST_HEADERS | added


@pytest.mark.parametrize(("text", "status"), [("", 200), ("fail", 404)])
async def test_b3_a_page_may_read_the_answer_its_metadata_and_its_trailers(server, text, status):
    headers = {"origin": PAGE, "content-type": "application/proto"}
    request = Request(Cors(server, [PAGE]), http_scope(path("Echo"), headers=headers))
    answer = await request.end(packed(text)).run()
    assert answer.status == status
    assert answer.values("access-control-allow-origin") == [PAGE]
    exposed = names(answer, "access-control-expose-headers")
    assert exposed >= BASE_RESPONSE_HEADERS | {"x-cost", "trailer-x-rest"}
    assert not exposed & {"content-type", "content-length", "vary"}, "what a page may read anyway"


REFUSALS = [
    pytest.param("POST", path("Echo"), {"content-type": "text/plain"}, 415, id="415"),
    pytest.param("PUT", path("Echo"), {}, 405, id="405"),
    pytest.param("GET", "/favicon.ico", {}, 404, id="404"),
]


@pytest.mark.parametrize(("method", "target", "headers", "status"), REFUSALS)
async def test_b3_refusals_may_be_read_too(server, method, target, headers, status):
    answer = await ask(Cors(server, [PAGE]), {"origin": PAGE, **headers}, method, target)
    assert answer.status == status
    assert answer.values("access-control-allow-origin") == [PAGE]


async def test_b3_a_page_from_elsewhere_may_not_read():
    answer = await ask(Cors(answering(("x-cost", "3")), [PAGE]), {"origin": "https://evil.example.com"})
    assert answer.body == b"it answered"
    assert [name for name, _ in answer.headers if name.startswith("access-control-")] == []


async def test_b3_an_application_that_speaks_cors_itself_is_left_alone():
    own = [("access-control-allow-origin", "https://other.example.com"), ("vary", "accept")]
    answer = await ask(Cors(answering(*own), [PAGE]), {"origin": PAGE})
    assert answer.headers == own


VARY = [
    pytest.param([], ["origin"], id="none yet"),
    pytest.param([("vary", "Accept-Encoding")], ["Accept-Encoding", "origin"], id="another"),
    pytest.param([("vary", "accept, Origin")], ["accept, Origin"], id="it is there"),
    pytest.param([("vary", "*")], ["*"], id="everything"),
]


@pytest.mark.parametrize(("own", "expected"), VARY)
async def test_b4_the_answer_varies_by_origin_and_by_what_it_did(own, expected):
    answer = await ask(Cors(answering(*own), [PAGE]), {"origin": PAGE})
    assert answer.values("vary") == expected


@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.example.com"}])
async def test_b4_it_varies_also_where_nothing_is_allowed(headers):
    # A cache must not give this answer, without a permission, to a page that has one.
    answer = await ask(Cors(answering(), [PAGE]), headers)
    assert answer.values("vary") == ["origin"]


async def test_b4_an_answer_for_everybody_does_not_vary():
    for headers in ({}, {"origin": PAGE}):
        answer = await ask(Cors(answering(), ["*"]), headers)
        assert answer.values("access-control-allow-origin") == ["*"]
        assert answer.values("vary") == []


async def test_b4_a_preflight_varies_by_all_it_was_asked_and_is_remembered():
    answer = await ask(Cors(answering(), ["*"]), PREFLIGHT, "OPTIONS")
    asked = {"origin", "access-control-request-method", "access-control-request-headers"}
    assert names(answer, "vary") == asked
    assert answer.values("access-control-max-age") == ["7200"]


async def test_b4_credentials_allow_no_star_anywhere():
    app = Cors(answering(("x-cost", "3")), ["*"], allow_headers=["*"], allow_credentials=True)
    for method, headers in (("OPTIONS", PREFLIGHT), ("POST", {"origin": PAGE})):
        answer = await ask(app, headers, method)
        assert answer.values("access-control-allow-credentials") == ["true"]
        assert answer.values("access-control-allow-origin") == [PAGE]
        assert "origin" in names(answer, "vary")
        assert not [pair for pair in answer.headers if "*" in pair[1]]


async def test_b5_a_get_needs_no_preflight_but_may_be_read(server):
    scope = http_scope(
        path("Look"), method="GET", headers={"origin": PAGE}, query="encoding=json&message=%7B%7D&connect=v1"
    )
    answer = await Request(Cors(server, [PAGE]), scope).end().run()
    assert (answer.status, answer.values("access-control-allow-origin")) == (200, [PAGE])
    assert "trailer-x-rest" in names(answer, "access-control-expose-headers")


async def test_what_is_not_http_passes_through():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    call = ({"type": "websocket"}, object(), object())
    await Cors(app, [PAGE])(*call)
    assert seen == [call]


ORIGINS = [
    "https://example.com",
    "HTTP://Example.com:8080/",
    "http://[::1]:3000",
    "tauri://localhost",
    "*",
    "null",
]


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_origin_is_read_as_browsers_send_it(origin):
    assert parse_origin(origin) == origin.lower().rstrip("/").encode()


@pytest.mark.parametrize(
    "origin", ["", "example.com", "https://", "https://example.com/path", "https://a b", "https://u@h"]
)
def test_what_is_no_origin_is_refused_with_an_example(origin):
    with pytest.raises(ValueError, match=r"write scheme and host as in https://example\.com"):
        Cors(answering(), [origin])
