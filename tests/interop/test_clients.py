"""Clients of other implementations call a service that exists only as a descriptor set.

A client is a program in `clients/` that runs scenarios and prints what it saw; here it is judged.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from support.interop import DETAILS, EVERYTHING, MESSAGE

HERE = Path(__file__).parent
LARGE = 2 * 1024 * 1024
ERROR = {"code": "not_found", "message": MESSAGE, "details": DETAILS}


# What each program can play. `buf curl` has no parallel calls and no cancellation; curl and nghttp have no
# streams either.
COMMON = ["echo", "metadata", "large", "fail", "nobody"]
STREAMS = ["count", "count_fail", "sum", "chat"]
TIMES = ["time_left", "deadline"]
PLAYS = {
    "grpcio.py": [*COMMON, *STREAMS, *TIMES, "cancel", "parallel"],
    "grpc_js.mjs": [*COMMON, *STREAMS, *TIMES, "cancel", "parallel"],
    "connect_node.mjs": [*COMMON, *STREAMS, *TIMES, "cancel", "parallel", "get"],
    "buf_curl.py": [*COMMON, *STREAMS],
    "curl.py": [*COMMON, *TIMES, "get"],
    "nghttp.py": [*COMMON, *TIMES, "get"],
}


@dataclass(frozen=True)
class Client:
    """A program of `clients/` with one choice of protocol, HTTP version and codec."""

    program: str
    protocol: str
    http: str
    codec: str

    @property
    def name(self):
        return f"{self.program.partition('.')[0]}-{self.protocol}-http{self.http}-{self.codec}"

    @property
    def scenarios(self):
        names = list(PLAYS[self.program])
        if self.http == "1.1" and "chat" in names:
            names[names.index("chat")] = "chat_half"  # nobody reads there before all is written
        if self.protocol != "connect" and "get" in names:
            names.remove("get")
        if (self.program, self.protocol) == ("buf_curl.py", "grpcweb"):
            names.remove("metadata")  # it does not print what stands in the body
        return names

    @property
    def schemes(self):
        """With TLS there is no Upgrade, and `buf curl` takes HTTP/2 wherever it can, without an option."""
        plain = self.http == "upgrade" or (self.program, self.http) == ("buf_curl.py", "1.1")
        return ["http"] if plain else ["http", "https"]


CLIENTS = [
    Client("grpcio.py", "grpc", "2", "proto"),
    Client("grpc_js.mjs", "grpc", "2", "proto"),
    Client("connect_node.mjs", "grpc", "2", "proto"),
    Client("connect_node.mjs", "grpc", "2", "json"),
    Client("connect_node.mjs", "grpcweb", "2", "proto"),
    Client("connect_node.mjs", "grpcweb", "2", "json"),
    Client("connect_node.mjs", "grpcweb", "1.1", "proto"),
    Client("connect_node.mjs", "grpcweb", "1.1", "json"),
    Client("connect_node.mjs", "connect", "2", "proto"),
    Client("connect_node.mjs", "connect", "2", "json"),
    Client("connect_node.mjs", "connect", "1.1", "proto"),
    Client("connect_node.mjs", "connect", "1.1", "json"),
    Client("buf_curl.py", "grpc", "2", "proto"),
    Client("buf_curl.py", "grpcweb", "2", "proto"),
    Client("buf_curl.py", "grpcweb", "1.1", "proto"),
    Client("buf_curl.py", "connect", "2", "proto"),
    Client("buf_curl.py", "connect", "1.1", "proto"),
    Client("curl.py", "connect", "2", "json"),
    Client("curl.py", "connect", "1.1", "json"),
    Client("nghttp.py", "connect", "2", "json"),
    Client("nghttp.py", "connect", "upgrade", "json"),
]


def seen_in(scenario):
    """Give the test what each client saw in *scenario*."""
    return pytest.mark.parametrize(
        "observed",
        [
            pytest.param((client, scheme, scenario), id=f"{client.name}-{scheme}")
            for client in CLIENTS
            if scenario in client.scenarios
            for scheme in client.schemes
        ],
        indirect=True,
    )


@pytest.fixture(scope="session")
def observe(descriptor_set, servers):
    """What a client sees, by scenario; each runs once for each scheme."""

    @cache
    def run(client, scheme):
        url, ca = servers[scheme]
        task = {
            "url": url,
            "ca": ca,
            "set": str(descriptor_set),
            "proto": str(HERE / "interop.proto"),
            "protocol": client.protocol,
            "http": client.http,
            "codec": client.codec,
            "scenarios": client.scenarios,
            "everything": EVERYTHING,
            "large": LARGE,
            # a Wait is found by its key, so no two clients may use the same one
            "key": f"{client.name}-{scheme}-",
            "buf": str(Path(os.environ["DYNCONNECT_INTEROP_TOOLS"], "bin", "buf")),
        }
        command = [*_command(client.program), json.dumps(task)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def _command(program):
    """What starts *program*; skips the test if a tool of it is not installed."""
    folder = HERE / "clients"
    if program.endswith(".mjs"):
        interpreter = shutil.which("node")
        if interpreter is None or not (folder / "node_modules").exists():
            pytest.skip("node and the packages of its clients are not installed")
    else:
        interpreter = sys.executable
        tool = program.removesuffix(".py")
        if tool in ("curl", "nghttp") and shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on PATH")
    return [interpreter, str(folder / program)]


@pytest.fixture
def observed(request, observe):
    client, scheme, scenario = request.param
    found = observe(client, scheme)[scenario]
    if isinstance(found, dict) and "exception" in found:
        pytest.fail(found["exception"], pytrace=False)
    return found


@seen_in("echo")
def test_every_kind_of_field_comes_back_as_it_was_sent(observed, request):
    client = request.node.callspec.params["observed"][0]
    assert observed == {"everything": EVERYTHING, "protocol": client.protocol}


@seen_in("metadata")
def test_headers_and_binary_trailers_go_both_ways(observed):
    assert observed == {"initial": ["one", "two"], "trailing": ["00ff80"]}


@seen_in("large")
def test_a_message_larger_than_any_window_goes_both_ways(observed):
    assert observed == LARGE


@seen_in("parallel")
def test_calls_at_the_same_time_get_their_own_answers(observed):
    assert observed == 50


@seen_in("count")
def test_a_server_stream_arrives_in_order(observed):
    assert observed == [1, 2, 3, 4, 5]


@seen_in("count_fail")
def test_a_stream_that_fails_delivers_what_came_before(observed):
    assert observed == {"numbers": [1, 2], "error": ERROR}


@seen_in("sum")
def test_a_client_stream_is_answered_once(observed):
    assert observed == 42


@seen_in("chat")
def test_a_full_duplex_stream_takes_turns(observed):
    assert observed == ["a", "A", "b", "B", "c", "C"]


@seen_in("chat_half")
def test_a_half_duplex_stream_is_answered_after_its_requests(observed):
    assert observed == ["A", "B"]


@seen_in("fail")
def test_an_error_arrives_with_its_code_message_and_details(observed):
    assert observed == ERROR


@seen_in("nobody")
def test_a_method_without_a_handler_is_unimplemented(observed):
    assert observed == "unimplemented"


@seen_in("time_left")
def test_the_handler_sees_the_time_left(observed):
    # grpcio rounds up what it sends, to 60100m here
    assert 40_000 < observed <= 60_100


@seen_in("deadline")
def test_the_deadline_ends_the_call_on_both_sides(observed):
    # The scenario has waited for the handler's end too.
    assert observed == "deadline_exceeded"


@seen_in("cancel")
def test_cancellation_by_the_client_ends_the_handler(observed):
    # Likewise.
    assert observed == "canceled"


@seen_in("get")
def test_a_method_without_side_effects_answers_get(observed):
    assert observed == {"everything": EVERYTHING, "http_method": "GET"}
