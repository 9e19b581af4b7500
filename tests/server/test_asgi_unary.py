"""The short way of a unary call must come to what the long one does, from wherever it leaves for that."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import schema
from support.asgi import Request, http_scope
from support.clock import virtual_time
from support.dialects import DIALECTS, envelope
from support.schema import packed

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.server import asgi_call, asgi_unary
from dynconnect.server.asgi import Server
from dynconnect.server.asgi_unary import ShortWay

LIMITS = Limits(read_max_bytes=2000, send_max_bytes=3000)


def heard(ctx):
    ctx.response_headers["x-heard"] = f"{ctx.request_headers.get('x-said')} {round(ctx.timeout_ms / 1000)}"


DOES = {
    "header": lambda ctx: ctx.response_headers.add("x-told", "1"),
    "trailer": lambda ctx: ctx.response_trailers.add("x-tail", "2"),
    "heard": heard,
}
AWAITS = {
    "early": lambda ctx: ctx.send_headers(),
    "pause": lambda _: asyncio.sleep(0),
    "sleep": lambda _: asyncio.sleep(20),
}
RAISES = {
    "refuse": lambda: ConnectError(Code.ABORTED, "so", [schema.note("why")], metadata={"x-why": "so"}),
    "break": lambda: LookupError("a fault"),
    "cancelled": asyncio.CancelledError,
}
ANSWERS = {"none": None, "large": {"text": "y" * 1000}, "huge": {"text": "z" * 4000}}


async def echo(request, ctx):
    """As the text says, word by word."""
    for word in request.text.split():
        if word in DOES:
            DOES[word](ctx)
        elif word in AWAITS:
            await AWAITS[word](ctx)
        elif word in RAISES:
            raise RAISES[word]()
        elif word in ANSWERS:
            return ANSWERS[word]
    return {"text": request.text, "number": 7}


@pytest.fixture(autouse=True)
async def clock():
    with virtual_time() as clock:
        yield clock


@pytest.fixture
def app():
    return server()


def server(**options):
    return Server(schema.generation({"Echo": echo}), limits=LIMITS, **options)


@pytest.fixture
def exchanges(monkeypatch):
    """The requests that an exchange was opened for."""
    seen = []

    def noted(scope):
        seen.append(scope)
        return asgi_call.request_of(scope)

    monkeypatch.setattr(asgi_unary, "request_of", noted)
    monkeypatch.setattr("dynconnect.server.asgi.request_of", noted)
    return seen


def request(app, body, headers, **scope):
    return Request(app, http_scope(schema.path("Echo"), headers=headers, **scope)).end(body)


def said(dialect, text, **more):
    return dialect.pack(packed(text, **more), streaming=False)


async def both(app, body, headers, **scope):
    """What comes of it on the short way, where there is one, and on the long one."""
    short = await come_to(request(app, body, headers, **scope))
    app._short = ShortWay({}, None)
    return short, await come_to(request(app, body, headers, **scope))


async def come_to(asked):
    answer = await asked.run()
    ids = ("dynconnect-error-id", "date")
    return (
        answer.status,
        sorted(pair for pair in answer.headers if not pair[0].endswith(ids)),
        b""
        if any(name.endswith(ids) for name, _ in answer.headers)
        else answer.body.split(b"dynconnect-error-id")[0],
        sorted(pair for pair in answer.trailers if pair[0] not in ids),
    )


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_plain_call_needs_no_exchange_and_no_task(app, exchanges, dialect):
    before = asyncio.all_tasks()
    asked = request(app, said(dialect, "hello"), dialect.head(streaming=False))
    await app(asked.scope, asked.receive, asked.send)
    assert asyncio.all_tasks() == before
    learned = len(exchanges)
    outcome = dialect.read(asked.answer, streaming=False)
    assert schema.unpacked(outcome.messages[0]).text == "hello"
    assert learned == 0


WORDS = (
    *(
        "header",
        "trailer",
        "heard",
        "early",
        "pause",
        "refuse",
        "break",
        "none",
        "cancelled",
        "large",
        "huge",
    ),
    "",
)


@pytest.mark.parametrize("first", WORDS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_both_ways_come_to_the_same_whatever_the_handler_does(dialect, first):
    for second in WORDS:
        app = server()
        head = dialect.head(streaming=False) | {"x-said": "this"} | dialect.until(5)
        short, long = await both(app, said(dialect, f"{first} {second}"), head)
        assert short == long, second


BODIES = st.one_of(
    st.binary(max_size=20),
    st.text(max_size=10).map(packed),
    st.text(max_size=10).map(lambda text: envelope(packed(text))),
    st.just(envelope(packed("x"), 1)),
    st.just(envelope(packed("x")) * 2),
    st.just(packed("x" * 2500)),
    st.just(envelope(packed("x" * 2500))),
    st.just(b'{"text": "hello", "number": 1}'),
    st.just(b'{"text": 1}'),
)
KINDS = (
    *("application/proto", "application/json", "application/grpc", "application/grpc+json"),
    *("application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text", "text/plain"),
    *("application/json; charset=utf-8", "application/connect+proto", ""),
)
HEADERS = {
    "content-type": KINDS,
    "content-encoding": ("identity", "gzip", "nonsense"),
    "grpc-encoding": ("identity", "gzip", "nonsense"),
    "accept-encoding": ("gzip", "identity", "br, gzip", "nonsense"),
    "grpc-accept-encoding": ("gzip", "identity,deflate,gzip", "nonsense"),
    "connect-protocol-version": ("1", "2", ""),
    "connect-timeout-ms": ("5000", "0", "x", "", "12345678901"),
    "grpc-timeout": ("5S", "0n", "x", ""),
    "accept": ("*/*", "application/grpc-web-text"),
    "te": ("trailers",),
    "x-said": ("a", "b"),
}
PAIRS = st.sampled_from([(name, value) for name, values in HEADERS.items() for value in values])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=BODIES,
    kind=st.sampled_from(KINDS),
    more=st.lists(PAIRS, max_size=5),
    version=st.sampled_from(["1.1", "2", "3"]),
    trailers=st.booleans(),
    required=st.booleans(),
)
async def test_both_ways_come_to_the_same_whatever_the_request_is(
    body, kind, more, version, trailers, required
):
    app = server(require_connect_protocol_version=required)
    head = [("content-type", kind), *more]
    short, long = await both(app, body, head, http_version=version, trailers=trailers)
    assert short == long


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_in_development_the_generation_is_named(dialect):
    short, long = await both(server(dev=True), said(dialect, "hi"), dialect.head(streaming=False))
    assert short == long
    assert ("dynconnect-generation", "1") in short[1]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_t1_a_handler_that_waits_too_long_is_cut_by_its_deadline(app, dialect):
    head = dialect.head(streaming=False) | dialect.until(5)
    asked = request(app, said(dialect, "sleep"), head)
    outcome = dialect.read(await asked.run(), streaming=False)
    assert outcome.code == "deadline_exceeded"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_t6_a_handler_that_waits_is_cancelled_when_its_client_goes(app, dialect):
    asked = request(app, said(dialect, "sleep"), dialect.head(streaming=False)).start()
    await asked.until(lambda: asked.asking)
    assert app.generations.running(app.generations.current) == 1
    asked.disconnect()
    await asyncio.wait([asked.task])
    assert not asked.task.cancelled()
    assert not asked.complete
    assert app.generations.running(app.generations.current) == 0


@pytest.mark.parametrize("held", [0, 1, 2])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_answer_that_waits_for_its_client_goes_on_where_it_is(app, dialect, held):
    asked = request(app, said(dialect, "hello"), dialect.head(streaming=False))
    send = asked.send

    async def hesitant(message):
        if len(asked.sent) == held:
            await asyncio.sleep(1)
        await send(message)

    await app(asked.scope, asked.receive, hesitant)
    assert schema.unpacked(dialect.read(asked.answer, streaming=False).messages[0]).text == "hello"


async def test_t6_a_client_that_goes_before_it_has_read_ends_the_call(app):
    asked = request(app, said(DIALECTS[0], "hello"), DIALECTS[0].head(streaming=False))
    asked.hold()
    asked.start()
    await asked.until(lambda: asked.holding and asked.asking)
    assert app.generations.running(app.generations.current) == 1
    asked.disconnect()
    await asyncio.wait([asked.task])
    assert not asked.task.cancelled()
    assert app.generations.running(app.generations.current) == 0


async def test_an_answer_may_take_so_long_beyond_the_deadline_and_no_longer(app):
    dialect = DIALECTS[0]
    asked = request(app, said(dialect, "hello"), dialect.head(streaming=False) | dialect.until(5))
    asked.hold()
    asked.start()
    before = asyncio.get_running_loop().time()
    await asyncio.wait([asked.task])
    assert asyncio.get_running_loop().time() - before == pytest.approx(5 + LIMITS.write_timeout, abs=0.1)
    assert not asked.complete


@pytest.mark.parametrize("exc", [OSError("gone"), RuntimeError("closed")])
async def test_a10_a_send_that_raises_means_that_the_client_has_gone(app, exc):
    asked = request(app, said(DIALECTS[0], "hello"), DIALECTS[0].head(streaming=False))
    asked.fail(exc)
    await asked.start().task
    assert asked.sent == []


async def test_a10_a_receive_that_raises_means_that_the_client_has_gone(app):
    asked = request(app, b"", DIALECTS[0].head(streaming=False))

    async def receive():
        raise OSError("gone")

    await app(asked.scope, receive, asked.send)
    assert asked.sent == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a1_a_body_in_pieces_is_plain_if_all_are_there(app, exchanges, dialect):
    body = said(dialect, "hello")
    asked = Request(app, http_scope(schema.path("Echo"), headers=dialect.head(streaming=False)))
    asked.push(body[:3]).push().push(body[3:]).end()
    await app(asked.scope, asked.receive, asked.send)
    assert schema.unpacked(dialect.read(asked.answer, streaming=False).messages[0]).text == "hello"
    assert exchanges == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_c14_no_more_pieces_are_held_than_the_limit_allows(app, dialect):
    asked = Request(app, http_scope(schema.path("Echo"), headers=dialect.head(streaming=False)))
    for _ in range(50):
        asked.push(b"x" * 1000)
    outcome = dialect.read(await asked.run(), streaming=False)
    assert outcome.code == "resource_exhausted"


async def test_a_body_that_is_late_is_waited_for(app):
    dialect = DIALECTS[0]
    asked = Request(app, http_scope(schema.path("Echo"), headers=dialect.head(streaming=False))).start()
    await asked.until(lambda: asked.asking)
    asked.end(said(dialect, "hello"))
    outcome = dialect.read(await asked.finished(), streaming=False)
    assert schema.unpacked(outcome.messages[0]).text == "hello"


async def test_g1_a_handler_that_waits_keeps_its_generation(app):
    dialect = DIALECTS[0]
    asked = request(app, said(dialect, "sleep"), dialect.head(streaming=False)).start()
    await asked.until(lambda: asked.asking)
    old = app.generations.swap(schema.generation({"Echo": echo}, number=2))
    assert app.generations.running(old) == 1
    assert dialect.read(await asked.finished(), streaming=False).code == "ok"
    assert app.generations.draining == ()
