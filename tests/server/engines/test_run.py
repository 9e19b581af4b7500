"""The process round a server, on each event loop: signals, and an end that comes in time."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import signal
import ssl
import struct
import sys
from contextlib import contextmanager

import httpx
import pytest
from support.project import write
from support.serving import program

from dynconnect.server.engines import run

SERVE = ("serve", "api.binpb", "--plugins", "plugins", "--port", 0)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write(tmp_path_factory.mktemp("project"))


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_name(request):
    if request.param == "uvloop" and importlib.util.find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed")
    return request.param


@pytest.fixture
def loop(loop_name, tmp_path):
    """The environment in which a program runs on that loop."""
    if loop_name == "uvloop":
        return {}
    (tmp_path / "uvloop.py").write_text("raise ImportError('not installed here')\n")
    return {"PYTHONPATH": str(tmp_path)}


@contextmanager
def stream(url, text):
    """An open call of `Count`, the first message of which has come."""
    body = b'{"text": "%s"}' % text.encode()
    headers = {"content-type": "application/connect+json"}
    with (
        httpx.Client(trust_env=False) as http,
        http.stream(
            "POST",
            f"{url}/notes.v1.Notes/Count",
            content=struct.pack(">BI", 0, len(body)) + body,
            headers=headers,
        ) as answer,
    ):
        pieces = answer.iter_raw()
        while b"first" not in next(pieces):
            pass
        yield pieces


def test_uvloop_is_used_where_it_is_installed(project, loop, loop_name):
    with program(*SERVE, cwd=project, **loop) as server:
        answer = httpx.post(f"{server.url}/notes.v1.Notes/Echo", json={"text": "loop"}, trust_env=False)
        assert answer.json()["text"].startswith(loop_name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stream_that_does_not_end_is_told_so_and_the_exit_code_is_0(project, loop, number):
    with (
        program(*SERVE, "--grace", "0.1", cwd=project, **loop) as server,
        stream(server.url, "wait") as pieces,
    ):
        server.signal(number)
        assert b'"code":"unavailable","message":"the server stops; call again"' in b"".join(pieces)
        assert server.finished() == 0
    assert "tidied up" in server.text
    assert "calls ended after 0.1 s: 1" in server.text
    assert "Traceback" not in server.text


def test_a_second_signal_ends_it_at_once(project, loop):
    with program(*SERVE, "--grace", 60, cwd=project, **loop) as server, stream(server.url, "wait"):
        server.signal()
        server.line("waiting for running calls: 1, for 60 s at most")
        server.signal()
        assert server.finished() == -signal.SIGTERM
    assert "Traceback" not in server.text


def test_a_second_signal_ends_it_even_if_a_handler_holds_up_the_loop(project, loop):
    with program(*SERVE, "--grace", 60, cwd=project, **loop) as server, stream(server.url, "spin"):
        while server.process.poll() is None:
            # Two signals sent at once are one. The second one counts as soon as Python has seen the first.
            server.signal()
        assert server.finished() == -signal.SIGTERM


@pytest.mark.parametrize("text", ["spin", "block"])
def test_a_handler_that_cannot_be_stopped_does_not_keep_the_process(project, text):
    soon = "from dynconnect.server.engines import run; run.END_TIMEOUT = 0.5"
    with program(*SERVE, "--grace", 0, cwd=project, prelude=soon) as server, stream(server.url, text):
        server.line(f"^{text}s$")
        server.signal()
        assert server.finished() == 0
    assert "something still runs in a handler" in server.text
    assert "Traceback" not in server.text


def test_without_uvloop_the_loop_is_asyncios_own(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run.loop_factory() is None


REPORTS = [
    pytest.param(ConnectionResetError("gone"), logging.DEBUG, id="reset"),
    pytest.param(TimeoutError("slow"), logging.DEBUG, id="timeout"),
    pytest.param(ssl.SSLError("no shared cipher"), logging.DEBUG, id="TLS"),
    pytest.param(ValueError("a bug"), logging.ERROR, id="a bug"),
    pytest.param(None, logging.ERROR, id="no exception"),
]


@pytest.mark.parametrize(("exc", "level"), REPORTS)
async def test_what_nobody_caught_is_logged_unless_it_is_the_networks_doing(caplog, exc, level):
    caplog.set_level(logging.DEBUG, run.log.name)
    run.report(asyncio.get_running_loop(), {"message": "lost", "exception": exc})
    [record] = caplog.records
    assert record.levelno == level
    assert (record.exc_info is not None and record.exc_info[1] is exc) is (
        level == logging.ERROR and exc is not None
    )
