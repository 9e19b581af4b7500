"""The line to paste: made from a real method, and it works as it stands."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from support.protoc import compile_set
from support.serving import Certificates, program

from dynconnect.cli import curl
from dynconnect.schema.content import files_of
from dynconnect.schema.schema import Schema
from dynconnect.schema.sources import Source
from dynconnect.server.engines.endpoint import Endpoint
from dynconnect.server.engines.settings import Settings

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")

PROTO = """
syntax = "proto3";
package sh.v1;
message Word { string te_xt = 1 [json_name = "it's \\"$HOME\\" ☃"]; }
service Words {
  rpc Say(Word) returns (Word);
  rpc Upload(stream Word) returns (Word);
  rpc Watch(Word) returns (stream Word);
  rpc Chat(stream Word) returns (stream Word);
}
"""
PLUGIN = """
from dynconnect import service

@service("sh.v1.Words")
class Words:
"""
HANDLERS = {
    "Say": "    async def say(self, request, ctx): return request",
    "Upload": "    async def upload(self, requests, ctx): return [request async for request in requests][-1]",
    "Watch": "    async def watch(self, request, ctx): yield request",
    "Chat": """    async def chat(self, requests, ctx):
        async for request in requests:
            yield request""",
}


@pytest.fixture(scope="module")
def words():
    return compile_set({"words.proto": PROTO})


@pytest.fixture
def project(tmp_path, words):
    (tmp_path / "api.binpb").write_bytes(words)
    return tmp_path


def paste(project, *options):
    """What the line of the banner does in a shell."""
    (project / "plugins").mkdir(exist_ok=True)
    arguments = ("api.binpb", "--plugins", "plugins.py", "--port", 0, *options)
    with program("serve", *arguments, cwd=project) as server:
        line = server.line(r"^  (.*curl .*)$")[1]
        done = subprocess.run(["sh", "-c", line], cwd=project, capture_output=True, check=True)
    return line, done.stdout.decode()


@needs_curl
@pytest.mark.parametrize("method", HANDLERS)
def test_the_line_works_as_pasted_for_every_shape(project, method):
    (project / "plugins.py").write_text(PLUGIN + HANDLERS[method])
    line, answer = paste(project)
    assert f"/sh.v1.Words/{method}" in line
    assert r'''"it's \"$HOME\" ☃":"..."''' in answer
    assert "error" not in answer


@needs_curl
def test_the_line_works_as_pasted_with_tls(project):
    files = Certificates(project)
    (project / "plugins.py").write_text(PLUGIN + HANDLERS["Say"])
    tls = ("--tls-cert", files.cert, "--tls-key", files.key)
    assert "..." in paste(project, *tls)[1]
    line, answer = paste(project, *tls, "--tls-client-ca", files.authority)
    assert "--cert client.pem --key client-key.pem" in line
    assert "..." in answer, "the names are made up, and here they are right"


@pytest.fixture
def endpoint():
    return Endpoint(Settings(), 8080, (), None)


def line(words, bound, endpoint):
    methods = Schema([Source("words.binpb", files_of(words))]).methods
    return curl.line(methods.values(), {path for path, m in methods.items() if m.name in bound}, endpoint)


CHOICES = [
    pytest.param(["Say", "Watch"], "Say", id="unary first"),
    pytest.param(["Upload", "Watch"], "Watch", id="then a stream of answers"),
    pytest.param(["Chat"], "Chat", id="bound rather than simple"),
    pytest.param([], "Say", id="none bound"),
]


@pytest.mark.parametrize(("bound", "chosen"), CHOICES)
def test_the_line_shows_the_method_that_shows_most(words, endpoint, bound, chosen):
    assert line(words, bound, endpoint).endswith(f"http://127.0.0.1:8080/sh.v1.Words/{chosen}")


def test_without_methods_there_is_no_line(endpoint):
    assert curl.line([], (), endpoint) is None
