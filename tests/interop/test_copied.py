"""Requests that the explorer copies as commands, run by the programs that they are for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SERVICE = "interop.v1.InteropService"
TEXT = 'it\'s ☃, "quoted" $HOME `x` \\ %s'
CALLS = [
    pytest.param("Echo", [{"everything": {"text": TEXT, "big": "9007199254740993"}}], TEXT, id="unary"),
    pytest.param("Count", [{"upTo": 2}], 2, id="server stream"),
    pytest.param("Sum", [{"number": "1"}, {"number": "41"}], "42", id="client stream"),
    pytest.param("Chat", [{"text": "ä"}, {"text": "b's"}], ["Ä", "B'S"], id="both"),
]
STREAMS = {"Echo": (False, False), "Count": (False, True), "Sum": (True, False), "Chat": (True, True)}


@pytest.fixture
def copied(servers, has_node):
    """Makes the command of a form."""

    def make(form, method, messages, origin=servers["http"][0]):
        client, server = STREAMS[method]
        request = {
            "origin": origin,
            "path": f"{SERVICE}/{method}",
            "streaming": client or server,
            "clientStreaming": client,
            "messages": [json.dumps(message, indent=1, ensure_ascii=False) for message in messages],
            "headers": [["x-echo-initial", 'it\'s "me", again']],
            "timeout": 20000,
        }
        command = ["node", HERE / "clients/copied.mjs", form, json.dumps(request)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return make


def ran(script):
    """What the command prints, in the shell that it is for."""
    bins = [Path(sys.executable).parent, Path(os.environ["DYNCONNECT_INTEROP_TOOLS"], "bin")]
    path = os.pathsep.join([*map(str, bins), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, env={**os.environ, "PATH": path}, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(errors="replace")


def documents(printed):
    """The JSON documents in what was printed, wherever they begin."""
    decoder = json.JSONDecoder()
    found, at = [], printed.find("{")
    while at >= 0:
        document, at = decoder.raw_decode(printed, at)
        found.append(document)
        at = printed.find("{", at)
    return found


FORMS = ["curl", "buf curl", "grpcurl", "dynconnect call"]


@pytest.mark.parametrize(("method", "messages", "expected"), CALLS)
@pytest.mark.parametrize("form", FORMS)
def test_a_copied_command_makes_the_same_call(copied, go_tool, form, method, messages, expected):
    if form == "grpcurl":
        go_tool("grpcurl")
    answers = documents(ran(copied(form, method, messages)))
    if form == "curl" and method != "Echo":
        assert answers.pop() == {}, "the end of a stream is a message too"
    found = {
        "Echo": lambda: answers[0]["everything"]["text"],
        "Count": lambda: len(answers),
        "Sum": lambda: answers[0]["sum"],
        "Chat": lambda: [answer["text"] for answer in answers],
    }[method]()
    assert found == expected


@pytest.mark.parametrize(("method", "messages", "expected"), CALLS)
def test_a_copied_program_makes_the_same_call(copied, tmp_path, method, messages, expected):
    program = tmp_path / "copied.py"
    program.write_text(copied("Python", method, messages))
    printed = ran(f"{sys.executable} -W error {program}")
    values = re.findall(r"^(?:  )?(?:text|sum|number): (.*)$", printed, re.MULTILINE)
    if method == "Sum":
        assert values == [expected]
    else:
        assert len(values) == {"Echo": 1, "Count": 2, "Chat": 2}[method], printed


def test_a_server_with_tls_is_called_with_tls(copied, servers):
    url = servers["https"][0]
    assert " -plaintext " not in copied("grpcurl", "Echo", [{}], url)
    assert "--http2-prior-knowledge" not in copied("buf curl", "Echo", [{}], url)
    assert f" {url.removeprefix('https://')} " in copied("grpcurl", "Echo", [{}], url)
