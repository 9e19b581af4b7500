"""Browser clients of other makers, on pages of another origin than the server: CORS as browsers have it."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status
from support.interop import DETAILS, EVERYTHING, MESSAGE
from support.protoc import compile_set
from support.serving import program

HERE = Path(__file__).parent
INTEROP = HERE.parent / "interop"
SERVICE = "/interop.v1.InteropService"


class Quiet(SimpleHTTPRequestHandler):
    """Serves the pages, and logs nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The URL of the pages, each with one client in it, and the descriptor set beside them."""
    folder = tmp_path_factory.mktemp("pages")
    for name in ("connect_web", "grpc_web"):
        source = HERE / "pages" / f"{name}.mjs"
        esbuild = HERE / "pages/node_modules/.bin/esbuild"
        command = [esbuild, source, "--bundle", "--format=iife", f"--outfile={folder / name}.js"]
        subprocess.run([*command, "--log-level=warning"], check=True)
        page = f'<!doctype html><link rel="icon" href="data:,"><script src="{name}.js"></script>'
        (folder / f"{name}.html").write_text(page)
    (folder / "interop.binpb").write_bytes(
        compile_set({"interop.proto": (INTEROP / "interop.proto").read_text()})
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def server(pages):
    """The URL of a server that lets those pages call."""
    folder, origin = pages
    options = ["--plugins", INTEROP / "plugin.py", "--port", "0", "--cors", origin]
    with program("serve", folder / "interop.binpb", *options) as server:
        yield server.url


@pytest.fixture
def play(context, pages, server, watched):
    """Runs a scenario on the page of a client."""
    _, origin = pages
    watched[0].hosts_max = 2
    watched[0].allowed |= {f"{SERVICE}/{name}" for name in ("Fail", "Nobody", "Wait")}

    def run(client, scenario, **task):
        page = context.new_page()
        page.goto(f"{origin}/{client}.html")
        task = {"scenario": scenario, "set": "interop.binpb", "url": server, "everything": EVERYTHING, **task}
        return page.evaluate("task => play(task)", task)

    return run


@pytest.mark.parametrize("codec", ["proto", "json"])
@pytest.mark.parametrize("protocol", ["connect", "grpcweb"])
class TestConnectWeb:
    @pytest.fixture(autouse=True)
    def client(self, play, protocol, codec):
        self.protocol = protocol
        self.play = partial(play, "connect_web", protocol=protocol, codec=codec, key=f"{protocol} {codec}")

    def test_a_message_comes_back(self):
        assert self.play("echo") == {"everything": EVERYTHING, "protocol": self.protocol}

    def test_b3_headers_and_trailers_may_be_read(self):
        assert self.play("metadata") == {"initial": "one", "trailing": "00ff80"}

    def test_b3_an_error_comes_with_its_details(self):
        assert self.play("fail") == {"code": "NotFound", "message": MESSAGE, "details": DETAILS}

    def test_a_stream_may_end_in_an_error(self):
        error = {"code": "NotFound", "message": MESSAGE, "details": DETAILS}
        assert self.play("count") == {"numbers": [1, 2, 3], "error": error}

    def test_a_method_without_a_handler_is_unimplemented(self):
        assert self.play("nobody") == "Unimplemented"

    def test_b2_a_deadline_may_be_sent(self):
        assert self.play("deadline") == "DeadlineExceeded"


@pytest.mark.parametrize("codec", ["proto", "json"])
def test_b5_a_method_without_side_effects_is_asked_by_get(play, codec):
    answer = play("connect_web", "get", protocol="connect", codec=codec)
    assert answer == {"everything": EVERYTHING, "http_method": "GET"}


@pytest.mark.parametrize("format_", ["text", "binary"])
class TestGrpcWeb:
    @pytest.fixture(autouse=True)
    def client(self, play, format_):
        self.play = partial(play, "grpc_web", format=format_)

    def test_a_message_comes_back(self):
        found = self.play("echo")
        (answer,) = found["messages"]
        assert (answer["everything"], answer["protocol"]) == (EVERYTHING, "grpcweb")
        assert found["status"]["code"] == 0

    def test_b3_headers_and_trailers_may_be_read(self):
        found = self.play("metadata")
        assert found["metadata"]["x-echo-initial"] == "one"
        assert found["status"]["metadata"]["x-echo-trailing-bin"] == "AP+A"

    def test_b3_an_error_comes_with_its_details(self):
        assert failure(self.play("fail")["error"]) == (5, MESSAGE, DETAILS)

    def test_a_method_without_a_handler_is_unimplemented(self):
        assert self.play("nobody")["error"]["code"] == 12


def test_grpc_web_reads_a_stream_in_its_text_format(play):
    assert play("grpc_web", "count", format="text")["messages"] == [
        {"number": 1},
        {"number": 2},
        {"number": 3},
    ]
    found = play("grpc_web", "count_fail", format="text")
    assert found["messages"] == [{"number": 1}, {"number": 2}]
    assert failure(found["error"]) == (5, MESSAGE, DETAILS)


def failure(error):
    """Code, message and details of an error of grpc-web, which leaves the details packed."""
    packed = error["details"]
    status = Status.FromString(base64.b64decode(packed + "=" * (-len(packed) % 4)))
    details = [[each.type_url.rpartition("/")[2], each.value.hex()] for each in status.details]
    return error["code"], error["message"], details


def test_b4_a_page_of_an_origin_that_may_not_call_learns_nothing(context, pages, server, watched):
    _, origin = pages
    other = origin.replace("127.0.0.1", "localhost")  # the same pages, and another origin
    watched[0].hosts_max = 2
    watched[0].allowed.add("/connect_web.html")  # where a browser says that it has refused the call
    watched[0].allowed.add(f"{SERVICE}/Fail")
    page = context.new_page()
    page.goto(f"{other}/connect_web.html")
    task = {"scenario": "fail", "set": "interop.binpb", "url": server, "protocol": "connect", "codec": "json"}
    found = page.evaluate("task => play(task)", task)
    assert "Failed to fetch" in found["message"]
    assert MESSAGE not in json.dumps(found)
