"""`dynconnect serve`, started as its users start it."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import grpc
import httpx
import pytest
from click.testing import CliRunner
from support.serving import GUARD, Certificates, finish, program

from dynconnect.cli import launch, serve

SERVE = ("serve", "api.binpb", "--plugins", "plugins", "--port", 0)
PAGE = "https://app.example.com"


def echo(url, text="hi", **options):
    with httpx.Client(base_url=url, trust_env=False, **options) as http:
        return http.post("/notes.v1.Notes/Echo", json={"text": text})


def test_one_command_serves_a_schema_and_its_plugins(project):
    with program(*SERVE, cwd=project) as server:
        for options in ({}, {"http1": False, "http2": True}):
            answer = echo(server.url, **options)
            assert (answer.status_code, answer.json()) == (200, {"text": "hi!"})


def test_the_banner_says_what_is_served_by_whom_and_how_to_try_it(project):
    with program(*SERVE, cwd=project) as server:
        url = server.url
        server.line("curl ")
        text = server.text
    assert "notes.v1.Notes" in text
    assert "Echo   unary          plugins/notes.py:10 Notes.echo" in text
    assert "Chat   bidi stream    plugins/notes.py:" in text
    assert "Lost   unary          unimplemented" in text
    assert f"{url}  Connect, gRPC and gRPC-Web over HTTP/1.1 and HTTP/2" in text
    assert f"{url}/notes.v1.Notes/Echo" in text
    assert "\x1b" not in text, "colours are for terminals"


@pytest.mark.parametrize("engine", ["hypercorn", "uvicorn"])
def test_the_engine_is_the_one_that_is_asked_for_and_the_banner_names_it(project, engine):
    with program(*SERVE, "--engine", engine, cwd=project) as server:
        assert echo(server.url).json() == {"text": "hi!"}
        assert echo(server.url, http1=False, http2=True).json() == {"text": "hi!"}
        server.line("curl ")
    assert f"engine {engine}" in server.text


def test_http_2_of_hypercorn_is_refused_on_another_engine(project):
    with program(*SERVE, "--engine", "uvicorn", "--http2", "hypercorn", cwd=project) as server:
        assert server.finished() == 2
    assert "--http2 hypercorn is of no use with --engine uvicorn" in server.text
    assert "Traceback" not in server.text


def test_several_workers_are_refused_where_they_can_not_be(monkeypatch):
    monkeypatch.setattr(launch, "os", SimpleNamespace(name="nt"))
    done = CliRunner().invoke(serve.command, ["api.binpb", "--workers", "2"])
    assert done.exit_code == 2
    assert "--workers needs a POSIX system" in done.output


def test_watching_is_refused_for_several_workers():
    done = CliRunner().invoke(serve.command, ["api.binpb", "--workers", "2", "--reload"])
    assert done.exit_code == 2
    assert "--reload watches for one process alone: with --workers, send SIGHUP" in done.output


def test_the_output_is_left_to_results(project):
    with program(*SERVE, cwd=project, apart=True) as server:
        assert server.url
    assert server.results == []


def test_the_port_of_the_environment_is_taken_unless_one_is_given(project):
    with program("serve", "api.binpb", cwd=project, PORT="0") as server:
        assert not server.url.endswith((":0", ":8080"))
    with program("serve", "api.binpb", "--port", 0, cwd=project, PORT="nonsense") as server:
        assert server.url


def test_other_programs_reach_it_only_where_it_is_told_to_listen(project):
    with program(*SERVE, "--host", "0.0.0.0", cwd=project) as server:
        assert server.url.startswith("http://localhost:")
        assert echo(server.url.replace("localhost", "127.0.0.1")).status_code == 200


def test_messages_may_be_as_large_as_said(project):
    with program(*SERVE, "--read-max-bytes", 100, cwd=project) as server:
        assert echo(server.url, "x" * 50).status_code == 200
        refused = echo(server.url, "x" * 200)
        assert (refused.status_code, refused.json()["code"]) == (429, "resource_exhausted")


def test_tls_is_served_and_asks_for_client_certificates(project, tmp_path):
    files = Certificates(tmp_path)
    tls = ("--tls-cert", files.cert, "--tls-key", files.key, "--tls-client-ca", files.authority)
    with program(*SERVE, *tls, cwd=project) as server:
        assert server.url.startswith("https://")
        assert echo(server.url, verify=files.trusting(identified=True), http2=True).status_code == 200
        with pytest.raises(httpx.TransportError):
            echo(server.url, verify=files.trusting())


@pytest.mark.parametrize(("origin", "allowed"), [(PAGE, PAGE), ("*", "*")])
def test_pages_of_other_origins_call_where_they_may(project, origin, allowed):
    headers = {"origin": PAGE, "access-control-request-method": "POST"}
    with program(*SERVE, "--cors", "https://other.example.com", "--cors", origin, cwd=project) as server:
        wanted = {"access-control-request-headers": "x-tenant"}
        asked = httpx.options(f"{server.url}/notes.v1.Notes/Echo", headers=headers | wanted, trust_env=False)
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == allowed
        assert "x-tenant" in asked.headers["access-control-allow-headers"]
        answer = echo(server.url, headers={"origin": PAGE})
        assert answer.headers["access-control-allow-origin"] == allowed


def test_without_cors_a_preflight_is_refused(project):
    headers = {"origin": PAGE, "access-control-request-method": "POST"}
    with program(*SERVE, cwd=project) as server:
        asked = httpx.options(f"{server.url}/notes.v1.Notes/Echo", headers=headers, trust_env=False)
        assert asked.status_code == 405


def test_at_debug_level_each_call_is_one_line(project):
    with program(*SERVE, "--log-level", "debug", cwd=project) as server:
        assert echo(server.url).status_code == 200
        server.line(r"DEBUG +connect notes\.v1\.Notes\.Echo ok [\d.]+ ms")


def test_otherwise_a_call_that_works_is_no_news(project):
    with program(*SERVE, cwd=project) as server:
        assert echo(server.url).status_code == 200
        server.signal()
        assert server.finished() == 0
    assert "Echo ok" not in server.text


def test_an_exception_is_in_the_log_under_the_id_that_its_caller_sees(project):
    with program(*SERVE, cwd=project) as server:
        answer = echo(server.url, "fail")
        assert "secret" not in answer.text
        [found] = [value for name, value in answer.headers.items() if name.endswith("dynconnect-error-id")]
        server.line(rf"ERROR .*notes\.v1\.Notes\.Echo.*{found}")
        server.line("RuntimeError: secret")
        server.signal()
        assert server.finished() == 0


def test_it_is_a_program_by_its_own_name_too(project):
    command = Path(sys.executable).with_name("dynconnect")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("dynconnect ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_it_is_told_to(project, number):
    with program(*SERVE, cwd=project) as server:
        assert echo(server.url).status_code == 200
        server.signal(number)
        assert server.finished() == 0
    assert "Traceback" not in server.text


@contextmanager
def reflected(project, *options):
    """The answers to `list_services` of a server with *options*."""
    with (
        program(*SERVE, *options, cwd=project) as server,
        grpc.insecure_channel(server.url.removeprefix("http://")) as channel,
    ):
        call = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        yield call(iter([b"\x3a\0"]), timeout=GUARD)


def test_z13_reflection_shows_some_services(project):
    with reflected(project, "--reflect", "other.*") as answers:
        (answer,) = answers
    assert b"grpc.health.v1.Health" in answer
    assert b"notes.v1.Notes" not in answer


def test_z13_reflection_is_turned_off(project):
    with reflected(project, "--no-reflection") as answers, pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_reflect_and_no_reflection_exclude_each_other(project):
    done = finish(*SERVE, "--reflect", "x", "--no-reflection", cwd=project)
    assert done.returncode == 2
    assert "--reflect says what reflection shows: it is of no use with --no-reflection" in done.stderr


def test_json_is_written_and_read_as_options_say(project):
    with program(*SERVE, "--json", "proto-names", "--json", "strict", cwd=project) as server:
        summed = httpx.post(
            f"{server.url}/notes.v1.Notes/Echo", json={"text": "a", "starCount": 0}, trust_env=False
        )
        assert summed.json() == {"text": "a!"}
        unknown = httpx.post(f"{server.url}/notes.v1.Notes/Echo", json={"texts": "a"}, trust_env=False)
        assert unknown.status_code == 400
        assert "has no field 'texts'; did you mean text?" in unknown.json()["message"]


def test_a_service_has_json_of_its_own(project):
    plugin = project / "plugins" / "notes.py"
    before = plugin.read_text()
    plugin.write_text(
        before.replace('@service("notes.v1.Notes")', '@service("notes.v1.Notes", json=["defaults"])')
    )
    try:
        with program(*SERVE, "--json", "strict", cwd=project) as server:
            assert echo(server.url).json() == {"text": "hi!", "starCount": 0}
    finally:
        plugin.write_text(before)
