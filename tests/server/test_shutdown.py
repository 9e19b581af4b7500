"""SIGTERM under load: no call fails that had begun, on any engine and with any number of processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import grpc
import httpx
import pytest
from support import project as projects
from support.serving import GUARD, program

from dynconnect.schema.schema import system

PLUGIN = """\
import asyncio
import os
from pathlib import Path

from dynconnect import service


@service("notes.v1.Notes")
class Notes:
    async def echo(self, request, ctx):
        os.write(1, b"began\\n")
        while not Path("go").exists():
            await asyncio.sleep(0.01)
        return request

    async def chat(self, requests, ctx):
        async for request in requests:
            os.write(1, b"began\\n")
            while not Path("go").exists():
                await asyncio.sleep(0.01)
            yield request
"""
SERVE = ("serve", "api.binpb", "--plugins", "plugins", "--port", 0)
ECHO, CHAT = "/notes.v1.Notes/Echo", "/notes.v1.Notes/Chat"
NOTE = b"\x0a\x02hi"


@pytest.fixture
def project(tmp_path):
    projects.write(tmp_path)
    (tmp_path / "plugins" / "notes.py").write_text(PLUGIN)
    return tmp_path


def post(url):
    """A call by Connect over HTTP/1.1, on a connection of its own."""
    return httpx.post(url + ECHO, json={"text": "hi"}, trust_env=False, timeout=GUARD).json()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("engine", ["hypercorn", "uvicorn"])
def test_fifty_slow_calls_end_well(project, engine, workers):
    with (
        program(*SERVE, "--engine", engine, "--workers", workers, cwd=project) as server,
        ThreadPoolExecutor(20) as pool,
        grpc.insecure_channel(urlsplit(server.url).netloc) as channel,
    ):
        unary, bidi = channel.unary_unary(ECHO), channel.stream_stream(CHAT)
        calls = [unary.future(NOTE, timeout=GUARD) for _ in range(15)]
        streams = [bidi(iter([NOTE]), timeout=GUARD) for _ in range(15)]
        posts = [pool.submit(post, server.url) for _ in range(20)]
        for _ in range(50):
            server.line("^began$")
        server.signal()
        server.line("waiting for running calls")
        (project / "go").touch()
        assert [call.result() for call in calls] == [NOTE] * 15
        assert [list(stream) for stream in streams] == [[NOTE]] * 15
        assert [done.result() for done in posts] == [{"text": "hi"}] * 20
        assert server.finished() == 0
    assert "Traceback" not in server.text


@pytest.mark.parametrize("engine", ["hypercorn", "uvicorn"])
def test_h5_who_watches_is_told_while_calls_go_on(project, engine):
    with (
        program(*SERVE, "--engine", engine, cwd=project) as server,
        grpc.insecure_channel(urlsplit(server.url).netloc) as channel,
    ):
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        response = system().message_class("grpc.health.v1.HealthCheckResponse")
        statuses = watch(b"", timeout=GUARD)
        assert response.FromString(next(statuses)).status == 1
        call = channel.unary_unary(ECHO).future(NOTE, timeout=GUARD)
        server.line("^began$")
        server.signal()
        assert response.FromString(next(statuses)).status == 2
        with pytest.raises(grpc.RpcError) as caught:
            next(statuses)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert not call.done()
        (project / "go").touch()
        assert call.result() == NOTE
        assert server.finished() == 0
