"""`dynconnect dev`, started as its users start it: edits, calls that run through them, keys."""

from __future__ import annotations

import os
import pty
import signal
import struct
import termios
from contextlib import contextmanager

import grpc
import httpx
import pytest
from support.project import PROTO
from support.protoc import compile_set
from support.serving import program

DEV = ("dev", "api.binpb", "--plugins", "plugins", "--port", 0)
NOTES = "/notes.v1.Notes"


def echo(url):
    return httpx.post(f"{url}{NOTES}/Echo", json={"text": "hi"}, trust_env=False)


def edit(project, old, new, file="plugins/notes.py"):
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_has_no_handler_is_mocked_until_it_has_one(project):
    def lost():
        return httpx.post(f"{server.url}{NOTES}/Lost", json={"text": "mine"}, trust_env=False)

    with program(*DEV, cwd=project) as server:
        server.line(r"Lost   unary          mock")
        answer = lost()
        assert (answer.status_code, answer.json()["text"]) == (200, "mine")
        assert answer.headers["dynconnect-source"] == "mock"
        edit(
            project,
            "    async def sum",
            '    async def lost(self, request, ctx):\n        return {"text": "found"}\n\n    async def sum',
        )
        server.line("gen 2")
        answer = lost()
        assert (answer.json(), "dynconnect-source" in answer.headers) == ({"text": "found"}, False)


def test_its_state_tells_of_a_refused_edit_until_it_is_mended(project):
    def state():
        return httpx.get(f"{server.url}/-/state", trust_env=False).json()

    with program(*DEV, cwd=project) as server:
        assert (state()["generation"], state()["reload"]) == (1, None)
        assert state()["services"]["notes.v1.Notes"]["Lost"]["mock"] is True
        edit(project, "async def echo", "async def ecko")
        server.line("still serving gen 1")
        refused = state()["reload"]
        assert refused["kind"] == "refused"
        assert refused["findings"][0]["hint"].startswith("did you mean Echo?")
        edit(project, "async def ecko", "async def echo")
        edit(project, '"!"', '"?"')
        server.line("gen 2")
        assert (state()["generation"], state()["reload"]["kind"]) == (2, "swapped")


@pytest.mark.parametrize("arguments", [("serve",), ("dev", "--no-mock")])
def test_nothing_is_mocked_where_that_is_not_wanted(project, arguments):
    with program(*arguments, *DEV[1:], cwd=project) as server:
        answer = httpx.post(f"{server.url}{NOTES}/Lost", json={}, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (501, "unimplemented")


def test_a_server_may_be_told_to_mock(project):
    with program("serve", "--mock", *DEV[1:], cwd=project) as server:
        answer = httpx.post(f"{server.url}{NOTES}/Lost", json={}, trust_env=False)
    assert (answer.status_code, answer.headers["dynconnect-source"]) == (200, "mock")


def test_an_edit_is_told_in_a_line_and_answers_the_next_call(project):
    with program(*DEV, cwd=project) as server:
        answer = echo(server.url)
        assert (answer.json(), answer.headers["dynconnect-generation"]) == ({"text": "hi!"}, "1")
        edit(project, '"!"', '"?"')
        server.line(r"↻ gen 2  plugins/notes.py  Echo changed  \d+ ms")
        answer = echo(server.url)
        assert (answer.json(), answer.headers["dynconnect-generation"]) == ({"text": "hi?"}, "2")


def test_a_bad_edit_is_told_whole_and_calls_go_on(project):
    with program(*DEV, cwd=project) as server:
        assert server.url
        edit(project, "async def sum", "async def summ")
        server.line("error: plugins/notes.py:")
        server.line(r"Notes\.summ is no RPC of notes\.v1\.Notes")
        server.line("hint: did you mean")
        server.line("✗ still serving gen 1")
        assert echo(server.url).json() == {"text": "hi!"}
        server.line("a call was answered by gen 1")


def test_a_server_without_reload_loads_files_anew_at_a_hangup(project):
    serve = ("serve", *DEV[1:])
    with program(*serve, cwd=project) as server:
        assert "dynconnect-generation" not in echo(server.url).headers
        edit(project, '"!"', '"?"')
        assert echo(server.url).json() == {"text": "hi!"}
        server.signal(signal.SIGHUP)
        server.line("gen 2")
        assert echo(server.url).json() == {"text": "hi?"}


def test_serve_reloads_if_it_is_told_to(project):
    with program("serve", *DEV[1:], "--reload", cwd=project) as server:
        assert server.url
        edit(project, '"!"', '"?"')
        server.line("gen 2")
        assert echo(server.url).json() == {"text": "hi?"}


def test_serve_gives_calls_of_an_old_generation_the_time_of_a_drain(project):
    with (
        program("serve", *DEV[1:], "--reload", "--drain", "0.2", cwd=project) as server,
        channel(server.url) as call,
    ):
        requests = Requests()
        answers = call("Chat", requests)
        requests.put(text("a"))
        assert next(answers) == text("a")
        edit(project, '"!"', '"?"')
        server.line("generation 1: calls cut after 0.2 s: 1")
        with pytest.raises(grpc.RpcError) as caught:
            next(answers)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        requests.put(None)


class Requests:
    """Messages of a stream, as they come."""

    def __init__(self):
        self._read, self._write = os.pipe()

    def put(self, data):
        os.write(self._write, struct.pack(">i", -1 if data is None else len(data)) + (data or b""))

    def __iter__(self):
        return self

    def __next__(self):
        (size,) = struct.unpack(">i", os.read(self._read, 4))
        if size < 0:
            os.close(self._read)
            os.close(self._write)
            raise StopIteration
        return os.read(self._read, size) if size else b""


def text(value):
    """A `Note` with this text."""
    return b"\n" + bytes([len(value)]) + value.encode()


@contextmanager
def channel(url):
    with grpc.insecure_channel(url.removeprefix("http://")) as made:
        yield lambda method, requests: made.stream_stream(f"{NOTES}/{method}")(requests)


def test_a_stream_runs_through_reloads_on_its_own_generation(project):
    with program(*DEV, cwd=project) as server, channel(server.url) as call:
        requests = Requests()
        answers = call("Chat", requests)
        requests.put(text("a"))
        assert next(answers) == text("a")
        for number, (old, new) in enumerate((("request.text}", '"2"}'), ('"2"}', '"3"}')), 2):
            edit(project, f'yield {{"text": {old}', f'yield {{"text": {new}')
            server.line(f"gen {number}")
            requests.put(text("b"))
            assert next(answers) == text("b"), "its own code"
        requests.put(None)
        assert list(answers) == []
        metadata = dict(answers.initial_metadata())
        assert metadata["dynconnect-generation"] == "1"
        other = Requests()
        other.put(text("c"))
        assert next(call("Chat", other)) == text("3")
        other.put(None)


def test_stubs_are_kept_at_what_is_served(project):
    stub = project / "typings" / "dynconnect_types" / "notes" / "v1" / "__init__.pyi"
    with program(*DEV, "--stubs", "typings", cwd=project) as server:
        assert server.url
        assert "star_count" in stub.read_text()
        data = compile_set(
            {"notes/v1/notes.proto": PROTO.replace("star_count = 2;", "star_count = 2; bool new = 3;")}
        )
        (project / "api.binpb").write_bytes(data)
        server.line(r"\+ Note\.new \(3, bool\)")
        server.signal()
        assert server.finished() == 0
    assert "new: _builtins.bool" in stub.read_text()


# --- keys ---------------------------------------------------------------------------------------------------


@contextmanager
def terminal():
    """A terminal: its two ends."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.fixture
def keyboard(project):
    """A server whose stdin is a terminal, and what presses keys there."""
    with terminal() as (ours, theirs), program(*DEV, cwd=project, stdin=theirs) as server:
        assert server.url
        before = termios.tcgetattr(ours)
        assert not before[3] & termios.ICANON, "a key needs no Enter"
        assert before[3] & termios.ISIG, "Ctrl-C is the terminal's"
        yield server, lambda keys: os.write(ours, keys)
        server.finished()
        assert termios.tcgetattr(ours)[3] & termios.ICANON, "the terminal is as it was"


def test_keys_reload_list_and_quit(keyboard):
    server, press = keyboard
    server.line("r reload  l list  u undo  q quit")
    press(b"r")
    server.line(r"↻ gen 2  \d+ ms")
    press(b"l")
    server.line("gen 2")
    server.line(r"Echo +unary +plugins/notes.py")
    press(b"x")
    server.line("r reload  l list  u undo  q quit")
    press(b"u")
    server.line("↶ gen 3  is gen 1 once more, until the next edit")
    press(b"q")
    assert server.finished() == 0


def test_without_a_terminal_no_keys_are_offered(project):
    with program(*DEV, cwd=project) as server:
        assert echo(server.url).status_code == 200
        server.signal()
        assert server.finished() == 0
    assert "r reload" not in server.text
