from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from dynconnect.rpc import context as module
from dynconnect.rpc.context import Context
from dynconnect.rpc.metadata import Metadata

METHOD = SimpleNamespace(name="Say", service_name="eliza.v1.Eliza", full_name="eliza.v1.Eliza.Say")


def made(**options):
    return Context(METHOD, "connect", Metadata({"x-a": "1"}), **options)


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(value=1000.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: now.value)
    return now


def test_it_says_what_the_request_was():
    context = made(
        http_method="GET",
        query_string="a=b",
        client=("1.2.3.4", 5),
        server=("::1", 6),
        generation=7,
    )
    assert (context.method, context.protocol, context.request_headers["x-a"]) == (METHOD, "connect", "1")
    assert (context.http_method, context.query_string) == ("GET", "a=b")
    assert (context.client_address, context.server_address, context.generation) == ("1.2.3.4:5", "[::1]:6", 7)


def test_the_address_of_a_socket_without_a_port_is_its_path():
    assert made(server=("/run/app.sock", None)).server_address == "/run/app.sock"


def test_what_a_server_does_not_know_has_a_plain_default():
    context = made()
    assert (context.http_method, context.query_string) == ("POST", "")
    assert (context.client_address, context.server_address, context.generation) == (None, None, 0)


def test_response_metadata_is_that_of_the_exchange_or_its_own():
    headers, trailers = Metadata(), Metadata()
    context = made(response_headers=headers, response_trailers=trailers)
    context.response_headers["x-h"] = "1"
    context.response_trailers["x-t"] = "2"
    assert (headers["x-h"], trailers["x-t"]) == ("1", "2")
    assert not made().response_headers
    assert made().response_headers is not made().response_headers


def test_t4_without_a_timeout_none_is_left(clock):
    context = made()
    assert context.timeout_ms is None
    context.start_deadline(None)
    assert context.timeout_ms is None


def test_t4_the_time_left_shrinks_and_stops_at_zero(clock):
    context = made()
    context.start_deadline(0.25)
    assert context.timeout_ms == 250
    clock.value += 0.1
    assert context.timeout_ms == pytest.approx(150)
    clock.value += 5
    assert context.timeout_ms == 0


def test_t2_a_timeout_of_zero_has_passed_already(clock):
    context = made()
    context.start_deadline(0.0)
    assert context.timeout_ms == 0


def test_t2_a_huge_timeout_does_not_overflow(clock):
    context = made()
    context.start_deadline(99_999_999 * 3600.0)
    assert context.timeout_ms == pytest.approx(99_999_999 * 3_600_000.0)


async def test_e7_a_handler_may_send_the_headers_early():
    sent = []

    async def send():
        sent.append("headers")

    await made(send_headers=send).send_headers()
    assert sent == ["headers"]


async def test_sending_headers_does_nothing_where_they_wait_for_the_outcome():
    context = made()
    context.response_headers["x-later"] = "1"
    await context.send_headers()
    assert context.response_headers.allitems() == [("x-later", "1")]


def test_the_id_is_short_random_and_stays():
    first, second = made(), made()
    assert first.id == first.id != second.id
    assert len(first.id) == 8


def test_the_log_names_service_method_and_call(caplog):
    context = made()
    with caplog.at_level(logging.INFO, logger="dynconnect.call"):
        context.log.info("saw %s", "you")
    (record,) = caplog.records
    assert record.name == "dynconnect.call.eliza.v1.Eliza"
    assert record.getMessage() == f"[Say {context.id}] saw you"
