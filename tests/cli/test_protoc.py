"""Sources on the command line: served, edited, refused in the compiler's words."""

from __future__ import annotations

import httpx
import pytest
from support.project import PROTO
from support.proto_project import COMPILE, RECORD, install
from support.serving import finish, program


@pytest.fixture
def sources(project):
    """The project with its source in the place of its set."""
    (project / "api.binpb").unlink()
    folder = project / "proto" / "notes" / "v1"
    folder.mkdir(parents=True)
    (folder / "notes.proto").write_text(PROTO)
    return project


def echo(url):
    return httpx.post(f"{url}/notes.v1.Notes/Echo", json={"text": "a"}, trust_env=False)


@pytest.mark.parametrize("schema", ["proto", "proto/notes/v1/notes.proto"])
def test_sources_are_served(sources, schema):
    with program("serve", schema, "--plugins", "plugins", "--port", "0", cwd=sources) as server:
        assert echo(server.url).json() == {"text": "a!"}


def test_several_processes_serve_sources(sources):
    arguments = ("serve", "proto", "--plugins", "plugins", "--port", "0", "--workers", "2")
    with program(*arguments, cwd=sources) as server:
        assert echo(server.url).json() == {"text": "a!"}


def test_an_edit_of_a_source_is_served_and_a_bad_one_is_refused_with_its_place(sources):
    source = sources / "proto" / "notes" / "v1" / "notes.proto"
    with program("dev", "proto", "--plugins", "plugins", "--port", "0", cwd=sources) as server:
        assert echo(server.url).headers["dynconnect-generation"] == "1"
        source.write_text(PROTO.replace("string text", "strin text"))
        server.line(r"error: proto/notes/v1/notes\.proto:6:3")
        server.line("did you mean string")
        server.line("still serving gen 1")
        assert echo(server.url).headers["dynconnect-generation"] == "1"
        source.write_text(PROTO.replace("star_count = 2;", "star_count = 2; string lang = 3;"))
        server.line("gen 2.*lang")
        assert echo(server.url).headers["dynconnect-generation"] == "2"


@pytest.mark.parametrize("command", ["check", "serve", "dev"])
def test_the_compiler_that_is_named_is_taken(sources, tmp_path, command):
    log = tmp_path / "log"
    mine = install(tmp_path / "bin", "mine", RECORD.format(log=str(log), name="mine") + COMPILE)
    arguments = (command, "proto", "--plugins", "plugins", "--protoc", mine)
    if command == "check":
        assert finish(*arguments, cwd=sources).returncode == 0
    else:
        with program(*arguments, "--port", "0", cwd=sources) as server:
            assert server.url
    assert log.read_text().startswith("mine ")


def test_what_does_not_compile_is_refused_in_words(sources):
    (sources / "proto" / "x.proto").write_text('syntax = "proto3";\nimport "notes/v1/nots.proto";\n')
    done = finish("check", "proto", "--plugins", "plugins", cwd=sources)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: proto/x.proto:2:1",
        "    notes/v1/nots.proto is imported, and there is no such file",
        "    hint: did you mean notes/v1/notes.proto?",
    ]
