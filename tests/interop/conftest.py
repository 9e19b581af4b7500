"""Servers that know their service only as a descriptor set."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

HERE = Path(__file__).parent
# `run` sets it, and only then are the tools of this folder there: `make test` needs none of them.
TOOLS = os.environ.get("DYNCONNECT_INTEROP_TOOLS")
collect_ignore_glob = [] if TOOLS else ["test_*.py"]


@pytest.fixture(scope="session")
def here():
    """This folder."""
    return HERE


@pytest.fixture(scope="session")
def has_node():
    """Skips what needs Node.js where there is none, which `run` has said."""
    if shutil.which("node") is None:
        pytest.skip("there is no node here")


@pytest.fixture(scope="session")
def go_tool():
    """Finds a Go program that `run` has installed; without Go there is none, which `run` has said."""

    def find(name):
        path = Path(TOOLS, "bin", name)
        if not path.exists():
            pytest.skip(f"{name} is not installed: there is no Go here")
        return path

    return find


@pytest.fixture(scope="session")
def descriptor_set(tmp_path_factory):
    path = tmp_path_factory.mktemp("schema") / "interop.binpb"
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{HERE}", "--include_imports"]
    subprocess.run([*protoc, f"--descriptor_set_out={path}", "interop.proto"], check=True)
    return path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """The options that a server needs, and the file that its clients trust."""
    folder = tmp_path_factory.mktemp("certificates")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    server = ca.issue_cert("127.0.0.1", "localhost")
    server.private_key_pem.write_to_path(folder / "key.pem")
    for pem in server.cert_chain_pems:
        pem.write_to_path(folder / "cert.pem", append=True)
    return ["--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem"], folder / "ca.pem"


@contextmanager
def _serving(descriptor_set, options, log_path):
    """The URL of a server that runs meanwhile; it must end well and log no exception."""
    command = [Path(sys.executable).with_name("dynconnect"), "serve", descriptor_set]
    command += ["--plugins", HERE / "plugin.py", "--host", "127.0.0.1", "--port", "0", *options]
    with log_path.open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield _url(server, log_path)
        finally:
            server.terminate()
            status = server.wait(timeout=20)
    text = log_path.read_text()
    assert status == 0, text
    assert "Traceback" not in text, text


def _url(server, log_path):
    # The banner comes once the socket listens, in another process's file: all that can be waited for
    # is that process's end.
    while (found := re.search(r"https?://127\.0\.0\.1:\d+", log_path.read_text())) is None:
        with suppress(subprocess.TimeoutExpired):
            server.wait(timeout=0.05)
            raise AssertionError(log_path.read_text())
    return found[0]


@pytest.fixture(scope="session")
def servers(descriptor_set, certificates, tmp_path_factory):
    """For "http" and "https": a URL, and the file of the CA that its clients trust."""
    logs = tmp_path_factory.mktemp("logs")
    tls_options, ca = certificates
    with (
        _serving(descriptor_set, [], logs / "http.log") as http,
        _serving(descriptor_set, tls_options, logs / "https.log") as https,
    ):
        yield {"http": (http, ""), "https": (https, str(ca))}
