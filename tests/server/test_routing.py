from __future__ import annotations

import pytest
from support import schema

from dynconnect.rpc.limits import Limits
from dynconnect.rpc.metadata import Metadata
from dynconnect.server.routing import Match, Router
from dynconnect.wire.base import Offer
from dynconnect.wire.choose import Chooser
from dynconnect.wire.events import Request, Response

ROUTES = schema.routes({})
CHOOSER = Chooser(Offer(Limits(), {}), ("proto", "json"))
GRPC = "application/grpc"


def route(method="Echo", kind="", *, path=None, verb="POST", query="", version="2", trailers=True, **more):
    """What the router says to a request for *method* with content type *kind*; *more* are headers."""
    headers = Metadata({"content-type": kind} if kind else {})
    headers.extend({name.replace("_", "-"): value for name, value in more.items()})
    request = Request(verb, schema.path(method) if path is None else path, headers, query, version)
    return Router(CHOOSER, http1_bidi=True).match(ROUTES.get(request.path), request, trailers=trailers)


def found(match):
    """A match as ``protocol codec method``."""
    assert isinstance(match, Match)
    method = "no method" if match.route is None else match.route.method.name
    return f"{match.choice.protocol.name} {match.choice.codec} {method}"


def refused(answer):
    assert isinstance(answer, Response)
    return answer.status, dict(answer.headers)


UNARY_TYPES = [
    ("application/proto", "connect proto"),
    ("application/json", "connect json"),
]
STREAM_TYPES = [
    ("application/connect+proto", "connect proto"),
    ("application/connect+json", "connect json"),
]
ALL_SHAPES = [
    ("application/grpc", "grpc proto"),
    ("application/grpc+proto", "grpc proto"),
    ("application/grpc+json", "grpc json"),
    ("application/grpc-web", "grpcweb proto"),
    ("application/grpc-web+proto", "grpcweb proto"),
    ("application/grpc-web+json", "grpcweb json"),
    ("application/grpc-web-text", "grpcweb proto"),
    ("application/grpc-web-text+proto", "grpcweb proto"),
]


@pytest.mark.parametrize(("kind", "expected"), UNARY_TYPES + ALL_SHAPES)
def test_r3_a_unary_method_is_found_by_each_of_its_content_types(kind, expected):
    assert found(route("Echo", kind)) == f"{expected} Echo"


@pytest.mark.parametrize("method", ["Count", "Sum", "Chat"])
@pytest.mark.parametrize(("kind", "expected"), STREAM_TYPES + ALL_SHAPES)
def test_r3_a_stream_is_found_by_each_of_its_content_types(method, kind, expected):
    assert found(route(method, kind)) == f"{expected} {method}"


@pytest.mark.parametrize(
    "path",
    [
        "/test.v1.Notes%2FEcho",
        "/test.v1.Notes/Echo/",
        "//test.v1.Notes/Echo",
        "/test.v1.notes/Echo",
        "/test.v1.Notes/echo",
        "/test.v1.Notes/Ech%6F",
        "/test.v1.Notes/Echo;v=1",
        "/test.v1.Notes",
        "/",
        "",
    ],
)
def test_r1_only_the_exact_raw_path_is_a_method(path):
    assert route(kind="application/proto", path=path) is None
    assert found(route(kind=GRPC, path=path)) == "grpc proto no method"


@pytest.mark.parametrize(
    "kind",
    [
        "Application/JSON",
        " application/json ",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        'application/json ; charset="utf-8"',
    ],
)
def test_r2_case_blanks_and_the_charset_utf_8_change_nothing(kind):
    assert found(route("Echo", kind)) == "connect json Echo"


@pytest.mark.parametrize(
    "kind",
    ["application/json; charset=latin-1", "application/json; version=2", "application/proto; charset=utf-8"],
)
def test_r2_another_parameter_is_an_unknown_codec(kind):
    assert refused(route("Echo", kind))[0] == 415


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("Echo", ""),
        ("Echo", "application/foo"),
        ("Echo", "image/jpeg"),
        ("Echo", "application/connect+proto"),
        ("Count", "application/proto"),
        ("Sum", "application/json"),
        ("Chat", "application/connect+foo"),
    ],
)
def test_r5_a_foreign_content_type_is_415_with_those_that_would_do(method, kind):
    status, headers = refused(route(method, kind))
    own = UNARY_TYPES if method == "Echo" else STREAM_TYPES
    accepted = headers.pop("accept-post").split(", ")
    assert (status, headers) == (415, {"content-length": "0"})
    assert set(accepted) >= {name for name, _ in own + ALL_SHAPES}
    assert not {name for name, _ in (STREAM_TYPES if method == "Echo" else UNARY_TYPES)} & set(accepted)


@pytest.mark.parametrize("kind", ["application/grpc+foo", "application/grpc-web+foo", "application/grpcfoo"])
def test_r6_an_unknown_sub_format_of_grpc_is_415(kind):
    assert refused(route("Echo", kind))[0] == 415


@pytest.mark.parametrize("verb", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "post"])
@pytest.mark.parametrize("method", ["Echo", "Count", "Sum", "Chat"])
def test_r7_other_verbs_than_post_are_405(method, verb):
    answer = route(method, "application/proto", verb=verb, query="encoding=proto&message=")
    assert refused(answer) == (405, {"allow": "POST", "content-length": "0"})


@pytest.mark.parametrize("verb", ["HEAD", "PUT", "DELETE", "OPTIONS"])
def test_r7_a_method_without_side_effects_allows_get_as_well(verb):
    answer = route("Look", verb=verb, query="encoding=proto&message=")
    assert refused(answer) == (405, {"allow": "GET, POST", "content-length": "0"})


@pytest.mark.parametrize("codec", ["proto", "json"])
def test_r7_get_calls_a_method_without_side_effects(codec):
    assert found(route("Look", verb="GET", query=f"message=&encoding={codec}")) == f"connect {codec} Look"


@pytest.mark.parametrize("query", ["", "message=", "encoding=foo&message=", "encoding=&message="])
def test_g3_a_get_without_a_known_encoding_is_415(query):
    assert refused(route("Look", verb="GET", query=query))[0] == 415


@pytest.mark.parametrize("headers", [{"content_length": "3"}, {"transfer_encoding": "chunked"}])
def test_r12_a_get_with_a_body_is_415(headers):
    query = "encoding=proto&message="
    assert refused(route("Look", verb="GET", query=query, **headers))[0] == 415
    assert found(route("Look", verb="GET", query=query, content_length="0")) == "connect proto Look"


def test_r12_a_query_on_post_changes_nothing():
    assert found(route("Echo", "application/proto", query="encoding=json&x=1")) == "connect proto Echo"


@pytest.mark.parametrize("kind", ["application/proto", "application/connect+proto", "text/html", ""])
def test_r8_an_unknown_path_is_no_rpc_unless_it_is_grpc(kind):
    assert route(kind=kind, path="/test.v1.Notes/Missing") is None


@pytest.mark.parametrize(("kind", "expected"), ALL_SHAPES)
def test_r8_an_unknown_method_of_grpc_is_left_to_its_protocol(kind, expected):
    assert found(route(kind=kind, path="/test.v1.Notes/Missing")) == f"{expected} no method"


def test_r9_a_method_without_a_handler_is_a_method():
    assert found(route("Fail", "application/proto")) == "connect proto Fail"
    assert ROUTES[schema.path("Fail")].bound_by is None


@pytest.mark.parametrize("version", ["1.0", "1.1", "0.9", "1", "", "SPDY"])
@pytest.mark.parametrize("path", [schema.path("Echo"), "/test.v1.Notes/Missing"])
def test_r10_a6_grpc_on_http_1_or_on_something_unknown_is_505(path, version):
    assert refused(route(kind=GRPC, path=path, version=version)) == (505, {"content-length": "0"})


@pytest.mark.parametrize("version", ["2", "3", "2.0"])
def test_a4_grpc_where_the_server_has_no_trailers_is_505(version):
    assert found(route(kind=GRPC, version=version)) == "grpc proto Echo"
    assert refused(route(kind=GRPC, version=version, trailers=False))[0] == 505


@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
@pytest.mark.parametrize("kind", ["application/proto", "application/grpc-web"])
def test_r10_connect_and_grpc_web_need_neither_trailers_nor_a_version(kind, version):
    assert found(route("Echo", kind, version=version, trailers=False)).endswith("proto Echo")


def bidi_over_http1(method, kind, version):
    request = Request("POST", schema.path(method), Metadata({"content-type": kind}), "", version)
    return Router(CHOOSER, http1_bidi=False).match(ROUTES.get(request.path), request, trailers=True)


def test_r11_bidi_over_http_1_is_served_unless_it_is_switched_off():
    kind = "application/connect+proto"
    assert found(route("Chat", kind, version="1.1")) == "connect proto Chat"
    answer = bidi_over_http1("Chat", kind, "1.1")
    assert refused(answer) == (505, {"content-length": "0", "connection": "close"})


@pytest.mark.parametrize("method", ["Sum", "Count"])
def test_r11_the_other_shapes_are_served_over_http_1_all_the_same(method):
    assert found(bidi_over_http1(method, "application/grpc-web", "1.1")) == f"grpcweb proto {method}"
    assert found(bidi_over_http1("Chat", "application/grpc-web", "2")) == "grpcweb proto Chat"


def test_r13_r15_nothing_but_the_content_type_is_required():
    # No te, x-grpc-web, x-user-agent, user-agent, accept or connect-protocol-version in sight.
    for kind, expected in UNARY_TYPES + ALL_SHAPES:
        assert found(route("Echo", kind)) == f"{expected} Echo"
