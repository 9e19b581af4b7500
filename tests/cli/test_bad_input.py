"""What users get wrong: one clear message for each, exit code 2, and no traceback."""

from __future__ import annotations

import gzip
import logging
import socket
from contextlib import closing

import pytest
from click.testing import CliRunner
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from support.serving import Certificates, finish

from dynconnect.cli.main import main


def edit_set(project, change):
    """Let *change* edit the first file of the set."""
    path = project / "api.binpb"
    files = FileDescriptorSet.FromString(path.read_bytes())
    change(files.file[0])
    return files


def truncated(project):
    path = project / "api.binpb"
    path.write_bytes(path.read_bytes()[:-20])


def truncated_gzip(project):
    path = project / "api.binpb"
    path.write_bytes(gzip.compress(path.read_bytes())[:-20])


def source(project):
    (project / "api.binpb").write_text('syntax = "proto3";\n')


def missing_import(project):
    files = edit_set(project, lambda file: file.dependency.append("shop/v1/shop.proto"))
    (project / "api.binpb").write_bytes(files.SerializeToString())


def clash(project):
    files = edit_set(project, lambda file: file.message_type.add(name="Other"))
    (project / "api2.binpb").write_bytes(files.SerializeToString())


def plugin(text):
    def write(project):
        (project / "plugins" / "notes.py").write_text(text)

    return write


def no_folder(project):
    (project / "plugins" / "notes.py").unlink()


def nothing(_project):
    pass


def python_file(project):
    (project / "api.binpb").write_text("import os\n")


HEAD = (
    'from dynconnect import service\n\n@service("{}")\nclass A:\n    async def {}(self, request, ctx): ...\n'
)
BOTH = ("serve", "check")
SERVE_ONLY = ("serve",)
SETS = ("api*.binpb",)

# who says it; how the project is spoilt; more arguments; what must be in the message
ROWS = [
    pytest.param(BOTH, truncated, SETS, ["api.binpb", "truncated", "build it again"], id="truncated set"),
    pytest.param(BOTH, truncated_gzip, SETS, ["api.binpb", "truncated", "build it"], id="truncated gzip"),
    pytest.param(BOTH, source, SETS, ["api.binpb", "is .proto source", "buf build"], id="not compiled"),
    pytest.param(
        BOTH, python_file, SETS, ["api.binpb", "not a descriptor set", "buf build"], id="other text"
    ),
    pytest.param(BOTH, nothing, ["apl.binpb"], ["apl.binpb", "no such file", "did you mean"], id="misspelt"),
    pytest.param(BOTH, nothing, ["*.pb"], ["*.pb", "matches no file"], id="empty glob"),
    pytest.param(
        BOTH,
        missing_import,
        SETS,
        ["notes/v1/notes.proto", "shop/v1/shop.proto", "--include_imports"],
        id="missing import",
    ),
    pytest.param(BOTH, clash, SETS, ["notes/v1/notes.proto", "api.binpb", "api2.binpb"], id="clash"),
    pytest.param(
        BOTH,
        plugin("import nothing_of_that_name\n"),
        SETS,
        ["plugins/notes.py:1", "nothing_of_that_name", "install it"],
        id="plugin that does not import",
    ),
    pytest.param(
        BOTH, plugin("def f(:\n"), SETS, ["plugins/notes.py:1", "SyntaxError"], id="plugin with a slip"
    ),
    pytest.param(
        BOTH,
        plugin(HEAD.format("notes.v1.Nodes", "echo")),
        SETS,
        ["plugins/notes.py:3", "notes.v1.Nodes", "notes.v1.Notes"],
        id="misspelt service",
    ),
    pytest.param(
        BOTH,
        plugin(HEAD.format("notes.v1.Notes", "ecko")),
        SETS,
        ["plugins/notes.py:5", "ecko", "did you mean Echo"],
        id="misspelt method",
    ),
    pytest.param(
        BOTH, no_folder, SETS, ["plugins", "no plugin in this folder"], id="no plugins in the folder"
    ),
    pytest.param(BOTH, nothing, [], ["Missing argument", "SCHEMA"], id="no schema"),
    pytest.param(
        SERVE_ONLY,
        nothing,
        [*SETS, "--host", "no-such-host.invalid"],
        ["no-such-host.invalid:0", "no host of this name", "127.0.0.1"],
        id="no such host",
    ),
    pytest.param(
        SERVE_ONLY,
        nothing,
        [*SETS, "--host", "192.0.2.7"],
        ["192.0.2.7:0", "no such address", "127.0.0.1"],
        id="another's address",
    ),
    pytest.param(
        SERVE_ONLY, nothing, [*SETS, "--port", "70000"], ["--port", "no port", "65535"], id="no such port"
    ),
    pytest.param(
        SERVE_ONLY,
        nothing,
        [*SETS, "--tls-cert", "nowhere.pem"],
        ["nowhere.pem", "can't be read"],
        id="no certificate",
    ),
    pytest.param(
        SERVE_ONLY,
        nothing,
        [*SETS, "--tls-key", "key.pem"],
        ["--tls-key", "without --tls-cert"],
        id="a key alone",
    ),
    pytest.param(
        SERVE_ONLY,
        nothing,
        [*SETS, "--cors", "example.com"],
        ["--cors", "example.com", "https://example.com"],
        id="no origin",
    ),
    pytest.param(
        SERVE_ONLY,
        nothing,
        [*SETS, "--log-level", "loud"],
        ["--log-level", "loud", "debug"],
        id="no level",
    ),
]
CASES = [
    pytest.param(command, *row.values[1:], id=f"{command}: {row.id}")
    for row in ROWS
    for command in row.values[0]
]


@pytest.fixture(autouse=True)
def _loggers():
    # The program sets levels for its whole process, which is not its own here.
    levels = {name: logging.getLogger(name).level for name in ("h2", "hpack", "asyncio")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(autouse=True)
def _in_project(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.delenv("PORT", raising=False)


def refused(*arguments, **env):
    """The message that *arguments* are refused with."""
    done = CliRunner(env=env).invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(("command", "spoil", "arguments", "parts"), CASES)
def test_bad_input_is_refused_in_words(project, command, spoil, arguments, parts):
    spoil(project)
    port = ("--port", "0") if command == "serve" and "--port" not in arguments else ()
    message = refused(command, *arguments, "--plugins", "plugins", *port)
    assert [part for part in parts if part not in message] == []


def test_the_program_itself_ends_so_too(project):
    truncated(project)
    done = finish("serve", "api.binpb", "--port", "0", cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: api.binpb\n    is truncated")
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_refused_in_words():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        message = refused("serve", "api.binpb", "--port", str(port))
    assert message.splitlines()[:2] == [f"error: 127.0.0.1:{port}", "    the port is in use"]


def test_a_key_that_does_not_fit_is_refused_in_words(tmp_path):
    files = Certificates(tmp_path)
    tls = ("--tls-cert", files.cert, "--tls-key", files.client_key)
    message = refused("serve", "api.binpb", "--port", "0", *tls)
    assert f"error: {files.client_key}" in message
    assert f"not the key of the certificate in {files.cert}" in message


def test_a_port_of_the_environment_that_is_none_is_refused_in_words():
    message = refused("serve", "api.binpb", PORT="http")
    assert "'http' is no port" in message
    assert "'PORT'" in message


def test_everything_that_is_wrong_is_said_at_once(project):
    truncated(project)
    plugin("def f(:\n")(project)
    arguments = ("api.binpb", "apl.binpb", "--plugins", "plugins", "--plugins", "plugin5")
    message = refused("serve", *arguments, "--tls-cert", "nowhere.pem", "--port", "0")
    places = [line.removeprefix("error: ") for line in message.splitlines() if line.startswith("error: ")]
    assert len(places) >= 4
    assert {"nowhere.pem", "apl.binpb", "plugins/notes.py:1", "plugin5"} <= set(places)
    assert message.splitlines()[-1] == f"{len(places)} errors"


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_traceback_is_shown_to_who_asks_for_it(project, command):
    plugin("raise RuntimeError('here')\n")(project)
    done = finish(command, "api.binpb", "--plugins", "plugins", "--traceback", cwd=project)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert 'plugins/notes.py", line 1' in done.stderr
    assert "error: plugins/notes.py:1" in done.stderr
