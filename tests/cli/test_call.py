"""`dynconnect call`, `list` and `pull` against a server that is served by `dynconnect serve`."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from support.project import write
from support.serving import finish, program

NOTES = "notes.v1.Notes"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A project, and the URL of its server."""
    project = write(tmp_path_factory.mktemp("served"))
    with program("serve", "api.binpb", "--plugins", "plugins", "--port", "0", cwd=project) as server:
        yield project, server.url


@pytest.fixture
def url(served):
    return served[1]


def called(url, method, *arguments, **more):
    return finish("call", url, f"{NOTES}/{method}", *arguments, **more)


def answers(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("options", [(), ("--protocol", "grpc"), ("--protocol", "grpcweb"), ("--json",)])
def test_each_shape_is_called(url, options):
    options = (*options, "--http", "2")
    assert answers(called(url, "Echo", "-d", '{"text": "hi"}', *options)) == [{"text": "hi!"}]
    assert answers(called(url, "Echo", *options)) == [{"text": "!"}]
    assert answers(called(url, "Count", "-d", "{}", *options)) == [{"text": "first"}]
    assert answers(called(url, "Sum", "-d", '{"starCount": 1} {"starCount": 2}', *options)) == [
        {"starCount": 3}
    ]
    assert answers(called(url, "Chat", "-d", '{"text": "a"}', "-d", '{"text": "b"}', *options)) == [
        {"text": "a"},
        {"text": "b"},
    ]


def test_requests_come_from_files_too(url, tmp_path):
    file = tmp_path / "requests.json"
    file.write_text('{"starCount": 4}\n{"starCount": 5}\n')
    assert answers(called(url, "Sum", "-d", f"@{file}")) == [{"starCount": 9}]
    assert answers(called(url, "Sum", "-d", "@-")) == [{}], "an empty stdin"


def test_the_schema_may_be_a_file(served):
    project, url = served
    done = called(url, "Echo", "--schema", project / "api.binpb", "-d", '{"text": "hi"}')
    assert answers(done) == [{"text": "hi!"}]


def test_verbose_shows_headers_and_time(url):
    done = called(url, "Echo", "-d", '{"text": "hi"}', "-v")
    assert answers(done) == [{"text": "hi!"}]
    assert "> content-type: application/proto" in done.stderr
    assert "> connect-protocol-version: 1" in done.stderr
    assert "< content-type: application/proto" in done.stderr
    assert done.stderr.splitlines()[-1].endswith(" ms")


def test_a_call_that_fails_says_why_and_exits_by_its_code(url):
    done = called(url, "Lost", "-d", "{}")
    assert done.returncode == 64 + 12
    assert done.stderr == "unimplemented: notes.v1.Notes.Lost has no handler\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((f"{NOTES}/Ecko",), f"{NOTES} has no method Ecko; did you mean {NOTES}/Echo?"),
        (("shop.v1.Notes/Echo",), f"there is no service shop.v1.Notes; did you mean {NOTES}/Echo?"),
        ((f"{NOTES}/Echo", "-d", '{"text": 1}'), "text: expected a string, got 1"),
        ((f"{NOTES}/Echo", "-d", '{"text": '), "no JSON"),
        ((f"{NOTES}/Echo", "-d", "@nowhere.json"), "it can't be read"),
        ((f"{NOTES}/Echo", "-d", "{} {}"), "takes one request, and there are 2"),
        ((f"{NOTES}/Echo", "-H", "nothing"), "this is no header"),
        ((f"{NOTES}/Echo", "--compress", "zip"), "there is no compression 'zip'"),
    ],
)
def test_what_is_wrong_with_the_command_is_said(url, arguments, expected):
    done = finish("call", url, *arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_extra_it_says_which():
    prelude = "import sys; sys.modules['pyqwest'] = None"
    with program("list", "http://127.0.0.1:1", prelude=prelude) as asked:
        assert asked.finished() == 2
    assert "pyqwest is not installed" in asked.text
    assert "pip install 'dynconnect[client]'" in asked.text


def test_what_is_no_url_is_refused():
    done = finish("call", "localhost:8080", f"{NOTES}/Echo")
    assert done.returncode == 2
    assert "write http://host:port" in done.stderr


def test_a_host_that_is_down_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = called(f"http://127.0.0.1:{port}", "Echo")
    assert done.returncode == 64 + 14
    assert f"unavailable: http://127.0.0.1:{port}: " in done.stderr


def test_a_page_is_no_answer_and_that_is_said(served):
    schema = served[0] / "api.binpb"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            asked, _ = server.accept()
            with asked:
                asked.recv(1 << 16)
                asked.sendall(
                    b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n"
                )

        thread = threading.Thread(target=answer)
        thread.start()
        done = called(f"http://127.0.0.1:{server.getsockname()[1]}", "Echo", "--schema", schema)
        thread.join()
    assert done.returncode == 64 + 12
    assert "unimplemented: HTTP status 404\n    hint: what answers there may be no RPC server" in done.stderr


LISTED = """\
notes.v1.Notes
  Echo  notes.v1.Note → notes.v1.Note
  Count  notes.v1.Note → stream notes.v1.Note
  Sum  stream notes.v1.Note → notes.v1.Note
  Chat  stream notes.v1.Note → stream notes.v1.Note
  Lost  notes.v1.Note → notes.v1.Note
"""


def test_the_methods_of_a_server_and_of_a_file_are_listed(served):
    project, url = served
    for where in (url, project / "api.binpb"):
        done = finish("list", where)
        assert (done.returncode, done.stdout) == (0, LISTED), done.stderr


def test_what_is_pulled_can_be_served(served, tmp_path):
    project, url = served
    pulled = tmp_path / "pulled.binpb"
    done = finish("pull", url, "-o", pulled)
    assert (done.returncode, done.stdout) == (0, f"{pulled}: 1 services in 1 files\n"), done.stderr
    original = FileDescriptorSet.FromString((project / "api.binpb").read_bytes())
    names = [file.name for file in FileDescriptorSet.FromString(pulled.read_bytes()).file]
    assert names == [file.name for file in original.file]
    assert finish("check", pulled, "--plugins", project / "plugins").returncode == 0
