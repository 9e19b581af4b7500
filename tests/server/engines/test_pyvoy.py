"""Envoy under the application: the program as its users start it, by clients of each protocol."""

from __future__ import annotations

import signal
import socket

import grpc
import httpx
import pytest
from support.project import write
from support.serving import Certificates, program

pytest.importorskip("pyvoy")

SERVE = ("serve", "api.binpb", "--plugins", "plugins", "--port", 0, "--engine", "pyvoy")
NOTES = "/notes.v1.Notes"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write(tmp_path_factory.mktemp("project"))


def echo(url, **options):
    with httpx.Client(base_url=url, trust_env=False, **options) as http:
        return http.post(f"{NOTES}/Echo", json={"text": "hi"})


def note(text):
    return b"\n" + bytes([len(text)]) + text.encode()


def test_connect_and_grpc_are_answered_on_one_port(project):
    with program(*SERVE, cwd=project) as server:
        for options in ({}, {"http1": False, "http2": True}):
            assert echo(server.url, **options).json() == {"text": "hi!"}
        with grpc.insecure_channel(server.url.partition("//")[2]) as channel:
            assert channel.unary_unary(f"{NOTES}/Echo")(note("hi")) == note("hi!")
            answers = channel.stream_stream(f"{NOTES}/Chat")(iter([note("a"), note("b")]))
            assert list(answers) == [note("a"), note("b")]
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(f"{NOTES}/Lost")(b"")
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "engine pyvoy, no HTTP/2 without TLS, by Upgrade" in server.text


def test_health_and_reflection_are_there_too(project):
    with program(*SERVE, cwd=project) as server:
        with httpx.Client(base_url=server.url, trust_env=False) as http:
            assert http.get("/readyz").status_code == 200
            assert http.post("/grpc.health.v1.Health/Check", json={}).json() == {"status": "SERVING"}
        with grpc.insecure_channel(server.url.partition("//")[2]) as channel:
            reflect = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
            (answer,) = reflect(iter([b"\x3a\0"]))
            assert b"notes.v1.Notes" in answer


def test_tls_has_http_3_beside_it_and_asks_for_client_certificates(project, tmp_path):
    files = Certificates(tmp_path)
    tls = ("--tls-cert", files.cert, "--tls-key", files.key, "--tls-client-ca", files.authority)
    with program(*SERVE, *tls, cwd=project) as server:
        trusted = files.trusting(identified=True)
        assert echo(server.url, verify=trusted, http2=True).http_version == "HTTP/2"
        with pytest.raises(httpx.TransportError):
            echo(server.url, verify=files.trusting())
        port = int(server.url.rpartition(":")[2])
        with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(OSError, match="in use"):
            sock.bind(("127.0.0.1", port))


def test_an_exception_is_in_the_log_and_not_in_the_answer(project):
    with program(*SERVE, cwd=project) as server:
        answer = httpx.post(f"{server.url}{NOTES}/Echo", json={"text": "fail"}, trust_env=False)
        assert (answer.status_code, "secret" in answer.text) == (500, False)
        server.line("RuntimeError: secret")
        server.signal()
        assert server.finished() == 0


def test_calls_that_run_have_the_time_of_a_drain(project):
    with program(*SERVE, "--grace", 20, cwd=project) as server:
        with grpc.insecure_channel(server.url.partition("//")[2]) as channel:
            go = iter([note("a")])

            def requests():
                yield next(go)
                server.signal()
                yield note("b")

            assert list(channel.stream_stream(f"{NOTES}/Chat")(requests())) == [note("a"), note("b")]
        assert server.finished() == 0


def test_calls_that_run_for_too_long_are_cut(project):
    with program(*SERVE, "--grace", 0.2, cwd=project) as server:
        with grpc.insecure_channel(server.url.partition("//")[2]) as channel:
            answers = channel.unary_stream(f"{NOTES}/Count")(note("wait"))
            assert next(answers) == note("first")
            server.signal()
            with pytest.raises(grpc.RpcError):
                next(answers)
        assert server.finished() == 0
    assert "calls cut after 0.2 s: 1" in server.text


def test_a_hangup_does_not_end_it(project):
    with program(*SERVE, cwd=project) as server:
        assert echo(server.url).json() == {"text": "hi!"}
        server.signal(signal.SIGHUP)
        server.line("this engine can't reload")
        assert echo(server.url).json() == {"text": "hi!"}


def test_what_is_wrong_is_said_before_envoy_starts(project):
    with program(*SERVE, "--plugins", "nowhere.py", cwd=project) as server:
        assert server.finished() == 2
    assert "error: nowhere.py" in server.text
    assert "Traceback" not in server.text


@pytest.mark.parametrize(
    ("options", "what"),
    [(("--reload",), "--engine pyvoy can't reload"), (("--workers", 2), "--workers is of no use")],
)
def test_what_it_cannot_do_is_refused(project, options, what):
    with program(*SERVE, *options, cwd=project) as server:
        assert server.finished() == 2
    assert what in server.text
