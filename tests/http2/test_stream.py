"""A stream as its application sees it, and what becomes of it on the wire."""

import asyncio

import pytest
from support.clock import virtual_time

from dynconnect.server.http2 import Limits
from dynconnect.server.http2.frames import CONTINUATION, DATA, END_STREAM, HEADERS, RST_STREAM, Code

from .apps import answer, echo, hello, read
from .peer import GET, connected, data, head, rst, settings, window

START = {"type": "http.response.start", "status": 200, "headers": []}
WITH_TRAILERS = START | {"trailers": True}
MORE = {"type": "http.response.body", "body": b"ab", "more_body": True}
LAST = {"type": "http.response.body", "body": b"cd"}
SHOW = {"type": "http.response.body", "body": b"", "more_body": True}
EMPTY = {"type": "http.response.body"}
TRAILERS = {"type": "http.response.trailers", "headers": [(b"x", b"y")]}
MORE_TRAILERS = TRAILERS | {"more_trailers": True}
LENGTH_9 = START | {"headers": [(b"content-length", b"9")]}

ANSWERS = [
    ("a body", [START, LAST], "HEADERS DATA(2)+"),
    ("a body in two parts", [START, MORE, LAST], "HEADERS DATA(2) DATA(2)+"),
    ("a body that ends empty", [START, MORE, EMPTY], "HEADERS DATA(2) DATA(0)+"),
    ("no body is one frame", [START, EMPTY], "HEADERS+"),
    ("headers shown early, then nothing", [START, SHOW, EMPTY], "HEADERS+"),
    ("trailers", [WITH_TRAILERS, LAST, TRAILERS], "HEADERS DATA(2) HEADERS+"),
    ("trailers without a body", [WITH_TRAILERS, EMPTY, TRAILERS], "HEADERS HEADERS+"),
    ("empty trailers", [WITH_TRAILERS, LAST, TRAILERS | {"headers": []}], "HEADERS DATA(2) DATA(0)+"),
    ("empty trailers without a body", [WITH_TRAILERS, EMPTY, TRAILERS | {"headers": []}], "HEADERS+"),
    ("trailers in two parts", [WITH_TRAILERS, EMPTY, MORE_TRAILERS, TRAILERS], "HEADERS HEADERS+"),
    ("204 has no body", [START | {"status": 204}, LAST], "HEADERS+"),
    ("304 has no body", [LENGTH_9 | {"status": 304}, MORE, LAST], "HEADERS+"),
    ("headers as lists", [START | {"headers": [[b"x", b"y"]]}, EMPTY], "HEADERS+"),
    ("body as a bytearray", [START, LAST | {"body": bytearray(b"cd")}], "HEADERS DATA(2)+"),
    ("no headers key", [{"type": "http.response.start", "status": 200}, EMPTY], "HEADERS+"),
]  # fmt: skip


def sending(events):
    async def app(scope, receive, send):
        await read(receive)
        for event in events:
            await send(event)

    return app


@pytest.mark.parametrize(("events", "kinds"), [pytest.param(*c, id=i) for i, *c in ANSWERS])
async def test_an_answer_has_the_fewest_frames(events, kinds):
    async with connected(sending(events)) as peer:
        peer.send(head(1, GET, end=True))
        await peer.answered(1)
        assert peer.kinds(1) == kinds


async def test_head_is_answered_without_the_body():
    async with connected(sending([START | {"headers": [(b"content-length", b"4")]}, MORE, LAST])) as peer:
        peer.send(head(1, GET | {":method": "HEAD"}, end=True))
        await peer.answered(1)
        assert peer.kinds(1) == "HEADERS+"
        assert dict(peer.fields(1))[b"content-length"] == b"4"


async def test_headers_go_out_at_once_when_the_application_waits_for_something_else():
    wait = asyncio.Event()

    async def app(scope, receive, send):
        await send(START)
        await wait.wait()
        await send(EMPTY)

    async with connected(app) as peer:
        peer.send(head(1, GET, end=True))
        await peer.settle()
        assert peer.kinds(1) == "HEADERS"
        wait.set()
        await peer.answered(1)
        assert peer.kinds(1) == "HEADERS DATA(0)+"


async def test_trailers_go_out_whether_or_not_te_asks_for_them():
    async with connected(sending([WITH_TRAILERS, LAST, TRAILERS])) as peer:
        peer.send(head(1, GET, end=True), head(3, GET | {"te": "trailers"}, end=True))
        for stream in (1, 3):
            await peer.answered(stream)
            assert peer.fields(stream, 1) == [(b"x", b"y")]


async def test_all_answers_of_a_turn_are_one_write():
    writes = []
    async with connected(hello) as peer:
        await peer.settle()
        write = peer.transport.write
        peer.transport.write = lambda data: (writes.append(data), write(data))
        peer.send(*(head(n, GET, end=True) for n in range(1, 20, 2)))
        await peer.answered(19)
        assert len(writes) == 1


async def test_a_large_head_is_continued():
    fields = [(b"x-%d" % n, b"v" * 1000) for n in range(40)]
    async with connected(sending([START | {"headers": fields}, EMPTY])) as peer:
        peer.send(head(1, GET, end=True))
        await peer.answered(1)
        await peer.settle()
        found = peer.of(1)
        assert [f.kind for f in found] == [HEADERS, CONTINUATION, CONTINUATION]
        assert [f.flags for f in found] == [END_STREAM, 0, 4]
        block = b"".join(f.payload for f in found)
        assert peer.decoder.decode(block, raw=True)[1:-1] == fields  # between the status and the date


# --- what an application must not do ------------------------------------------------------------------------

MISTAKES = [
    ("body before start", [LAST], RuntimeError),
    ("start twice", [START, START], RuntimeError),
    ("trailers that were not announced", [START, MORE, TRAILERS], RuntimeError),
    ("body after the last", [WITH_TRAILERS, LAST, LAST], RuntimeError),
    ("an event of another kind", [{"type": "websocket.accept"}], RuntimeError),
    ("body longer than content-length", [LENGTH_9, MORE, LAST | {"body": bytes(8)}], RuntimeError),
    ("body shorter than content-length", [LENGTH_9, LAST], RuntimeError),
    ("status 101", [START | {"status": 101}], ValueError),
    ("status 1000", [START | {"status": 1000}], ValueError),
    ("name in capitals", [START | {"headers": [(b"X", b"y")]}], ValueError),
    ("pseudo-header", [START | {"headers": [(b":path", b"y")]}], ValueError),
    ("empty name", [START | {"headers": [(b"", b"y")]}], ValueError),
    ("name with CR", [START | {"headers": [(b"a\r", b"y")]}], ValueError),
    ("value with LF", [START | {"headers": [(b"x", b"a\nset-cookie: b")]}], ValueError),
    ("value with NUL", [START | {"headers": [(b"x", b"a\0")]}], ValueError),
    ("value that begins with a space", [START | {"headers": [(b"x", b" a")]}], ValueError),
    ("connection", [START | {"headers": [(b"connection", b"close")]}], ValueError),
    ("transfer-encoding", [START | {"headers": [(b"transfer-encoding", b"chunked")]}], ValueError),
    ("two lengths", [START | {"headers": [(b"content-length", n) for n in (b"1", b"2")]}], ValueError),
    ("content-length of words", [START | {"headers": [(b"content-length", b"x")]}], ValueError),
    ("a name that is text", [START | {"headers": [("x", b"y")]}], TypeError),
    ("a bad trailer", [WITH_TRAILERS, EMPTY, TRAILERS | {"headers": [(b"X", b"y")]}], ValueError),
]  # fmt: skip


@pytest.mark.parametrize(("events", "error"), [pytest.param(*c, id=i) for i, *c in MISTAKES])
async def test_a_malformed_answer_is_an_error_for_the_application_and_never_on_the_wire(
    events, error, caplog
):
    raised = []

    async def app(scope, receive, send):
        for event in events[:-1]:
            await send(event)
        try:
            await send(events[-1])
        except Exception as exc:
            raised.append(type(exc))
            raise

    async with connected(app) as peer:
        peer.send(head(1, GET, end=True))
        last = (await peer.answered(1))[-1]
        assert raised == [error]
        if len(events) == 1:
            assert peer.status(1) == 500
            assert last.ends
        else:
            assert last.code is Code.INTERNAL_ERROR
    assert "application failed on GET /" in caplog.text


async def test_an_answer_may_be_corrected_before_it_starts():
    async def app(scope, receive, send):
        with pytest.raises(ValueError, match="token in lower case"):
            await send(START | {"headers": [(b"Bad", b"y")]})
        await answer(send, b"ok")

    async with connected(app) as peer:
        peer.send(head(1, GET, end=True))
        await peer.answered(1)
        assert peer.kinds(1) == "HEADERS DATA(2)+"


@pytest.mark.parametrize(
    ("events", "kinds"),
    [
        pytest.param([], "HEADERS+", id="before it starts"),
        pytest.param([START], "HEADERS RST(INTERNAL_ERROR)", id="after the head"),
        pytest.param([START, MORE], "HEADERS DATA(2) RST(INTERNAL_ERROR)", id="within the body"),
        pytest.param([WITH_TRAILERS, LAST], "HEADERS DATA(2) RST(INTERNAL_ERROR)", id="before the trailers"),
    ],
)
@pytest.mark.parametrize("crash", [True, False])
async def test_an_application_that_stops_early_is_an_error_in_the_log(events, kinds, crash, caplog):
    async def app(scope, receive, send):
        for event in events:
            await send(event)
        if crash:
            raise KeyError("oops")

    async with connected(app) as peer:
        peer.send(head(1, GET, end=True))
        await peer.answered(1)
        await peer.settle()
        assert peer.kinds(1) == kinds
        if kinds == "HEADERS+":
            assert peer.status(1) == 500
    assert ("application failed" if crash else "without a complete answer") in caplog.text


async def test_an_error_after_the_answer_is_logged_and_changes_nothing(caplog):
    async def app(scope, receive, send):
        await answer(send, b"ok")
        raise KeyError("oops")

    async with connected(app) as peer:
        peer.send(head(1, GET, end=True))
        await peer.answered(1)
        await peer.settle()
        assert peer.kinds(1) == "HEADERS DATA(2)+"
        assert await peer.alive(3)
    assert "application failed" in caplog.text


async def test_sending_after_the_end_is_an_error():
    seen = []

    async def app(scope, receive, send):
        await answer(send)
        for event in (MORE, START):
            try:
                await send(event)
            except RuntimeError as exc:
                seen.append(str(exc))

    async with connected(app) as peer:
        peer.send(head(1, GET, end=True))
        await peer.answered(1)
        await peer.settle()
    assert seen == [f"got {e['type']!r} where 'nothing' is next" for e in (MORE, START)]


# --- receiving ----------------------------------------------------------------------------------------------


async def test_the_request_comes_as_it_arrives_and_then_the_end():
    seen = []

    async def app(scope, receive, send):
        while not seen or seen[-1]["more_body"]:
            seen.append(await receive())
        await answer(send)
        seen.append(await receive())

    async with connected(app) as peer:
        peer.send(head(1))
        await peer.settle()
        peer.send(data(1, b"a"))
        await peer.settle()
        peer.send(data(1, b"b"), data(1, b"c"))
        await peer.settle()
        peer.send(data(1, end=True))
        await peer.answered(1)
        await peer.settle()
    bodies = [(b"a", True), (b"bc", True), (b"", False)]
    events = [{"type": "http.request", "body": body, "more_body": more} for body, more in bodies]
    assert seen == [*events, {"type": "http.disconnect"}]


async def test_a_request_without_a_body_is_one_empty_event():
    seen = []

    async def app(scope, receive, send):
        seen.append(await receive())
        await answer(send)

    async with connected(app) as peer:
        peer.send(head(1, GET, end=True), head(3), data(3, b"x", end=True))
        await peer.answered(3)
    assert seen == [{"type": "http.request", "body": body, "more_body": False} for body in (b"", b"x")]


async def test_several_tasks_may_wait_for_the_same_request():
    async def app(scope, receive, send):
        waiting = [asyncio.ensure_future(receive()) for _ in range(3)]
        given_up = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        given_up.cancel()
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result()["body"] for task in done] == [b"x"]
        await answer(send)
        assert {(await task)["type"] for task in pending} == {"http.disconnect"}

    async with connected(app) as peer:
        peer.send(head(1))
        await peer.settle()
        peer.send(data(1, b"x"))
        await peer.answered(1)
        assert peer.status(1) == 200


async def test_tiny_frames_cost_no_object_each():
    async def app(scope, receive, send):
        await release.wait()
        await answer(send, b"%d" % len(await read(receive)))

    release = asyncio.Event()
    async with connected(app) as peer:
        peer.send(head(1), *(data(1, b"ab") for _ in range(5000)))
        stream = peer.connection._streams._streams[1]
        assert len(stream._chunks) <= 65
        peer.send(data(1, end=True))
        release.set()
        await peer.answered(1)
        assert peer.body(1) == b"10000"


# --- answers before the end of the request ------------------------------------------------------------------


SOON = Limits(early_reset_delay=0.01)


async def test_a_request_that_ends_soon_after_its_answer_is_not_reset():
    async with connected(answer_unread) as peer:
        with virtual_time():
            peer.send(head(1))
            await peer.answered(1)
            peer.send(data(1, b"late", end=True))
            await asyncio.sleep(10)
        assert peer.kinds(1) == "HEADERS+"
        assert unused(peer) == 1 << 24
        assert await peer.alive(3)


async def test_a_request_that_its_client_resets_is_not_reset_once_more():
    async with connected(answer_unread) as peer:
        with virtual_time():
            peer.send(head(1))
            await peer.answered(1)
            peer.send(rst(1))
            await asyncio.sleep(10)
        assert peer.kinds(1) == "HEADERS+"


async def test_an_early_answer_is_followed_by_no_error_and_late_data_is_swallowed():
    async def app(scope, receive, send):
        if scope["method"] == "POST":
            await answer(send, b"no", 403)
        else:
            await hello(scope, receive, send)

    async with connected(app, SOON) as peer:
        peer.send(head(1))
        await peer.was_reset(1)
        assert peer.kinds(1) == "HEADERS DATA(2)+ RST(NO_ERROR)"
        for _ in range(60):
            peer.send(data(1, bytes(16384)))
        peer.send(head(1, {"x": "late"}, end=True, encoder=peer.encoder))
        assert await peer.alive(3)
        assert unused(peer) == 1 << 24
        assert peer.kinds(1) == "HEADERS DATA(2)+ RST(NO_ERROR)"


async def test_what_was_not_read_is_credited_to_the_connection():
    async with connected(answer_unread) as peer:
        peer.send(head(1), data(1, bytes(16384)), data(1, bytes(16384)))
        await peer.answered(1)
        await peer.settle()
        assert unused(peer) == 1 << 24


def unused(peer):
    """What the client may still send on its connection, with what it will be told so soon."""
    inbound = peer.connection._streams._inbound
    return inbound.left + inbound._owed


async def answer_unread(scope, receive, send):
    await answer(send)


async def test_a_client_that_ignores_the_reset_is_stopped_by_its_own_window():
    async with connected(answer_unread, SOON) as peer:
        peer.send(head(1))
        await peer.was_reset(1)
        peer.send(*(data(1, bytes(16384)) for _ in range(65)))
        assert peer.of(1)[-1].code is Code.NO_ERROR
        await peer.settle()
        assert peer.of(1)[-1].code is Code.STREAM_CLOSED


# --- the client goes away -----------------------------------------------------------------------------------


class Watched:
    """An application that waits in *wait*, and remembers how that ended."""

    def __init__(self, wait):
        self.wait, self.seen, self.began = wait, [], asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["method"] == "GET":
            await hello(scope, receive, send)
            return
        self.began.set()
        try:
            await self.wait(receive, send)
        except BaseException as exc:
            self.seen.append(type(exc))
            raise
        finally:
            for call in (receive, lambda: send(START)):
                try:
                    self.seen.append((await call())["type"])
                except OSError as exc:
                    self.seen.append(type(exc))


async def in_receive(receive, send):
    while True:
        await receive()


async def elsewhere(receive, send):
    await asyncio.Event().wait()


async def in_send(receive, send):
    await send(START)
    await send(MORE | {"body": bytes(1 << 20)})


@pytest.mark.parametrize("way", ["reset", "lost"])
@pytest.mark.parametrize("wait", [in_receive, elsewhere, in_send])
async def test_when_the_client_goes_the_application_is_cancelled_at_once(wait, way, caplog):
    app = Watched(wait)
    async with connected(app) as peer:
        peer.send(head(1), data(1, b"x"))
        await app.began.wait()
        await peer.settle()
        if way == "reset":
            peer.send(rst(1), window(0, 100))
            assert await peer.alive(3)
        else:
            peer.lose()
        await peer.settle()
        assert app.seen == [asyncio.CancelledError, "http.disconnect", ConnectionResetError]
        assert "RST" not in peer.kinds(1)  # section 5.4.2: no reset for a reset
    assert caplog.text == ""


async def test_a_stream_that_is_reset_before_its_application_began_never_begins():
    app = Watched(elsewhere)
    async with connected(app) as peer:
        peer.send(head(1), rst(1))
        assert await peer.alive(3)
        assert not app.began.is_set()
        assert not peer.connection._streams.busy


async def test_tasks_of_the_application_learn_it_too():
    seen = []

    async def app(scope, receive, send):
        async def child():
            await receive()
            seen.append((await receive())["type"])

        task = asyncio.ensure_future(child())
        try:
            await asyncio.Event().wait()
        finally:
            await task

    async with connected(app) as peer:
        peer.send(head(1), data(1, b"x"))
        await peer.settle()
        peer.send(rst(1))
        await peer.settle()
    assert seen == ["http.disconnect"]


async def test_work_after_a_complete_answer_is_not_cancelled():
    done, go = [], asyncio.Event()

    async def app(scope, receive, send):
        await answer(send)
        await go.wait()
        done.append((await receive())["type"])

    async with connected(app) as peer:
        peer.send(head(1, GET, end=True))
        await peer.answered(1)
        peer.send(rst(1))
        peer.lose()
        go.set()
        await peer.connection.wait_closed()
    assert done == ["http.disconnect"]


async def test_an_application_that_is_cancelled_by_others_says_so():
    tasks = []

    def spawn(coroutine):
        tasks.append(asyncio.get_running_loop().create_task(coroutine))
        return tasks[-1]

    async def app(scope, receive, send):
        await asyncio.Event().wait()

    async with connected(app, spawn=spawn) as peer:
        peer.send(head(1))
        await peer.settle()
        tasks[0].cancel()
        await peer.answered(1)
        assert peer.status(1) == 500
        assert tasks[0].cancelled()


async def test_a_send_that_is_cancelled_half_way_ends_the_stream():
    async def app(scope, receive, send):
        await send(START)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send(MORE | {"body": bytes(100000)}), 0.01)
        with pytest.raises(ConnectionResetError):
            await send(LAST)

    async with connected(app) as peer:
        peer.send(head(1, GET, end=True))
        await peer.until(lambda: peer.of(1) and peer.of(1)[-1].kind == RST_STREAM)
        assert peer.of(1)[-1].code is Code.INTERNAL_ERROR


async def test_concurrent_sends_do_not_mix_their_bytes():
    async def app(scope, receive, send):
        await send(START)
        await asyncio.gather(*(send(MORE | {"body": bytes((n,)) * 3000}) for n in range(5)))
        await send(EMPTY)

    async with connected(app) as peer:
        peer.send(settings(window=100), head(1, GET, end=True))
        for _ in range(150):
            await peer.settle()
            peer.send(window(1, 100))
        await peer.answered(1)
        assert peer.body(1) == b"".join(bytes((n,)) * 3000 for n in range(5))
        assert max(len(f.payload) for f in peer.of(1) if f.kind == DATA) == 100


async def test_echo_works_in_both_directions_at_once():
    async with connected(echo) as peer:
        peer.send(head(1))
        for number in range(5):
            peer.send(data(1, b"%d" % number))
            await peer.until(lambda n=number: peer.body(1).endswith(b"%d" % n))
        peer.send(data(1, end=True))
        await peer.answered(1)
        assert peer.body(1) == b"01234"


async def test_a_send_that_waits_for_another_learns_that_the_stream_is_gone():
    seen = []

    async def app(scope, receive, send):
        async def part():
            try:
                await send(MORE | {"body": bytes(10)})
            except OSError as exc:
                seen.append(type(exc))

        await send(START)
        parts = [asyncio.ensure_future(part()) for _ in range(3)]
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.wait(parts)

    async with connected(app) as peer:
        peer.send(settings(window=0), head(1, GET, end=True))
        await peer.settle()
        peer.send(rst(1))
        await peer.settle()
        assert peer.kinds(1) == "HEADERS"
    assert seen == [ConnectionResetError] * 3
