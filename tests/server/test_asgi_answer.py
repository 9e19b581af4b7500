"""The way back of one call: events in, ASGI messages out (`asgi_call.Answer`)."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest
from support.asgi import TRAILERS, Request
from support.clock import settle, virtual_time

from dynconnect.rpc.limits import Limits
from dynconnect.server.asgi_call import Answer, Body
from dynconnect.server.cancel_scope import CancelScope
from dynconnect.wire.events import Data, End, Response

LIMITS = Limits(buffer_max_bytes=35, drain_max_bytes=100, drain_timeout=2.0, write_timeout=5.0)
HEAD = Response(200, (("content-type", "text/x"),))


@pytest.fixture(autouse=True)
async def clock():
    with virtual_time() as clock:
        yield clock


@pytest.fixture
def client():
    return Request(None, {})


def new_body(receive):
    """A body; its `gone` notes when the call is told that the client has gone."""
    body = Body(receive, LIMITS)
    body.gone = []
    cancel = body.scope.cancel
    body.scope = SimpleNamespace(cancel=lambda: (body.gone.append(True), cancel()), within=body.scope.within)
    return body


@pytest.fixture
async def body(client):
    body = new_body(client.receive)
    yield body
    await body.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}, "T7"


@pytest.fixture
def answer(client, body):
    return Answer(client.send, body, LIMITS, drains=True)


@pytest.fixture
def eager(client, body):
    """The answer on a server that copes with early ones."""
    return Answer(client.send, body, LIMITS, drains=False)


def body_message(data, *, more):
    return {"type": "http.response.body", "body": data, "more_body": more}


START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/x")],
    "trailers": False,
}
TAIL = End((("grpc-status", "0"), ("x-ü", "é")))


@pytest.mark.parametrize(
    ("flushes", "expected"),
    [
        pytest.param([[]], [], id="nothing"),
        pytest.param([[HEAD]], [START, body_message(b"", more=True)], id="A3 a head is not held back"),
        pytest.param([[HEAD, Data(b"a")]], [START, body_message(b"a", more=True)], id="first message"),
        pytest.param(
            [[HEAD, Data(b"a"), End()]], [START, body_message(b"a", more=False)], id="all in one piece"
        ),
        pytest.param([[HEAD, End()]], [START, body_message(b"", more=False)], id="no body"),
        pytest.param(
            [[HEAD, Data(b"a")], [Data(b"b")], [Data(b"c"), End()]],
            [
                START,
                body_message(b"a", more=True),
                body_message(b"b", more=True),
                body_message(b"c", more=False),
            ],
            id="K14 each flush is a piece",
        ),
        pytest.param(
            [[HEAD, Data(b"a"), Data(b"b"), End()]],
            [START, body_message(b"a", more=True), body_message(b"b", more=False)],
            id="two pieces in one flush",
        ),
    ],
)
async def test_a3_a7_events_become_messages(client, eager, flushes, expected):
    for events in flushes:
        await eager(events)
    assert client.sent == expected


@pytest.mark.parametrize(
    "flushes", [[[HEAD, Data(b"a")], [TAIL]], [[HEAD, Data(b"a"), TAIL]], [[HEAD, TAIL]]]
)
async def test_a4_p5_trailers_come_last_and_once(client, eager, flushes):
    eager.trailers = True
    for events in flushes:
        await eager(events)
    assert client.sent[0] == {**START, "trailers": True}
    assert [message["type"] for message in client.sent[-2:]] == ["http.response.body", TRAILERS]
    assert client.sent[-2]["more_body"] is False
    assert client.sent[-1]["headers"] == [(b"grpc-status", b"0"), ("x-ü".encode("latin-1"), b"\xe9")]
    assert not client.sent[-1].get("more_trailers", False)
    assert client.complete


async def test_a8_a9_an_early_refusal_is_held_back_until_the_request_has_ended(client, answer):
    refusing = asyncio.ensure_future(answer([Response(415), End()]))
    client.push(b"x")
    await settle()
    assert not client.sent
    client.end()
    await refusing
    assert client.complete


async def test_a8_the_end_of_an_early_answer_is_held_back_and_what_comes_before_is_not(client, answer):
    await answer([HEAD, Data(b"a")])
    answering = asyncio.ensure_future(answer([Data(b"b"), End()]))
    await settle()
    assert client.pieces == [b"a"]
    client.end()
    await answering
    assert client.pieces == [b"a", b"b"]


async def test_e7_a_head_that_the_outcome_decides_is_no_event_and_sends_nothing(client, answer):
    await answer([])
    assert client.sent == []


async def test_a8_an_early_refusal_waits_no_longer_than_one_drain(client, answer, clock):
    began = clock.now
    await answer([Response(400), Data(b"{}"), End()])
    assert clock.now - began == pytest.approx(LIMITS.drain_timeout)
    assert client.complete


@pytest.mark.parametrize("head", [HEAD, Response(415)])
async def test_a9_nothing_is_held_back_where_the_server_copes(client, eager, head, clock):
    began = clock.now
    await eager([head, Data(b"a"), End()])
    assert client.complete
    assert clock.now == began


@pytest.mark.parametrize("exc", [OSError("reset"), RuntimeError("closed"), KeyError(1)])
async def test_a10_a_send_that_raises_means_that_the_client_has_gone(client, body, eager, exc, caplog):
    caplog.set_level(logging.INFO)
    client.fail(exc)
    for events in ([HEAD, Data(b"a")], [Data(b"b")], [End()]):
        with pytest.raises(asyncio.CancelledError):
            await eager(events)
    assert body.gone == [True]
    assert not caplog.records


async def test_t6_nothing_is_sent_to_a_client_that_has_gone(client, body, answer):
    await answer([HEAD, Data(b"a")])
    client.disconnect()
    await settle()
    sent = list(client.sent)
    with pytest.raises(asyncio.CancelledError):
        await answer([Data(b"b"), End()])
    assert client.sent == sent


async def test_t3_an_answer_that_a_deadline_tore_stays_unfinished(client, answer, clock):
    await answer([HEAD, Data(b"a")])
    client.hold()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await answer([Data(b"b")])
    client.release()
    began = clock.now
    await answer.finish([Data(b"outcome"), End()], 0.0)
    assert client.pieces == [b"a"]
    assert not client.complete
    assert clock.now == began, "and nothing is drained for it"
    with pytest.raises(BrokenPipeError):
        await answer([Data(b"c")])


async def test_t3_a_late_outcome_does_not_wait_for_ever(client, body, eager, clock):
    body.scope = CancelScope()  # of this task, and not of the fixture's
    client.hold()
    began = clock.now
    await eager.finish([HEAD, Data(b"a"), End()], 1.5)
    assert clock.now - began == pytest.approx(1.5 + LIMITS.write_timeout)
    assert not client.sent


async def test_an_outcome_without_a_deadline_waits_for_a_slow_client(client, eager, clock):
    client.hold()
    finishing = asyncio.ensure_future(eager.finish([HEAD, Data(b"a"), End()], None))
    await asyncio.sleep(3600)
    client.release()
    await finishing
    assert client.complete


async def test_a_message_sent_while_another_task_still_sends_is_not_lost(client, eager):
    client.hold()
    both = asyncio.gather(eager([HEAD]), eager([Data(b"a")]))
    await client.until(lambda: client.holding == 2)
    client.release()
    await both
    await eager([End()])
    assert client.pieces == [b"a"]
