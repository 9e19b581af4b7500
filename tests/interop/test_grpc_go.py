"""grpc-go's interop client: every case that asks for nothing but the protocol.

Left out are the cases that need an identity of the cloud (oauth2, compute engine), a load balancer
(pick_first, orca), or HTTP caching that grpc-go itself does not do.
"""

from __future__ import annotations

import subprocess

import pytest
from support.protoc import compile_set
from support.serving import program

CASES = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "rpc_soak",
    "channel_soak",
]
SOAK = ["--soak_iterations=50", "--soak_overall_timeout_seconds=60"]


@pytest.fixture(scope="module")
def port(here, tmp_path_factory):
    schema = tmp_path_factory.mktemp("grpc_testing") / "test.binpb"
    schema.write_bytes(compile_set({"test.proto": (here / "grpc_testing" / "test.proto").read_text()}))
    plugin = here / "grpc_testing" / "plugin.py"
    with program("serve", schema, "--plugins", plugin, "--port", "0") as server:
        yield server.url.rpartition(":")[2]


@pytest.mark.parametrize("case", CASES)
def test_the_case_passes(case, port, go_tool):
    options = ["--server_host=127.0.0.1", f"--server_port={port}", f"--test_case={case}", *SOAK]
    done = subprocess.run(
        [go_tool("client"), *options], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
