"""Our client against servers that we did not write: grpc-go, connect-node, grpcio; `buf curl` beside it.

connect-go is the server of the conformance suite in its mode "client".
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from concurrent import futures
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection
from support.json_text import values
from support.protoc import compile_set

from dynconnect.client import Client
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError

NODE = "interop.v1.InteropService"
GO = "grpc.testing.TestService"
WAIT = 20.0


@contextmanager
def process(*command):
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def until_listening(port, running):
    until = time.monotonic() + WAIT
    while time.monotonic() < until:
        with suppress(OSError):
            return socket.create_connection(("127.0.0.1", port)).close()
        with suppress(subprocess.TimeoutExpired):
            running.wait(timeout=0.05)
            break
    raise AssertionError(f"nobody listens on {port}")


# grpc-go, by its own interop server: the cases that its clients are held to.


@pytest.fixture(scope="module")
def go(here, go_tool, tmp_path_factory):
    schema = tmp_path_factory.mktemp("grpc_testing") / "test.binpb"
    schema.write_bytes(compile_set({"test.proto": (here / "grpc_testing" / "test.proto").read_text()}))
    port = free_port()
    with process(go_tool("server"), f"--port={port}") as running:
        until_listening(port, running)
        yield lambda **options: Client(
            f"http://127.0.0.1:{port}", schema=str(schema), protocol="grpc", **options
        )


def sized(size):
    return {"payload": {"body": bytes(size)}}


async def test_grpc_go_unary(go):
    async with go() as client:
        assert (await client.call(f"{GO}/EmptyCall")).ByteSize() == 0
        answer = await client.call(f"{GO}/UnaryCall", {"response_size": 314159, **sized(271828)})
        assert len(answer.payload.body) == 314159


async def test_grpc_go_streams(go):
    sizes = [31415, 9, 2653, 58979]
    async with go() as client:
        total = await client.call(
            f"{GO}/StreamingInputCall", [sized(size) for size in (27182, 8, 1828, 45904)]
        )
        assert total.aggregated_payload_size == 74922
        asked = {"response_parameters": [{"size": size} for size in sizes]}
        answers = await client.stream(f"{GO}/StreamingOutputCall", asked)
        assert [len(answer.payload.body) async for answer in answers] == sizes


async def test_grpc_go_ping_pong(go):
    turn, sizes = asyncio.Event(), [31415, 9, 2653, 58979]

    async def requests():
        for size in sizes:
            yield {"response_parameters": [{"size": size}], **sized(8)}
            await turn.wait()
            turn.clear()

    async with go() as client, await client.stream(f"{GO}/FullDuplexCall", requests()) as call:
        for size in sizes:
            assert len((await anext(call)).payload.body) == size
            turn.set()
        assert [answer async for answer in call] == []


async def test_grpc_go_status_and_metadata(go):
    text = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
    sent = [("x-grpc-test-echo-initial", "initial"), ("x-grpc-test-echo-trailing-bin", "q6ur")]
    async with go() as client:
        with pytest.raises(ConnectError) as raised:
            await client.call(f"{GO}/UnaryCall", {"response_status": {"code": 2, "message": text}})
        assert (raised.value.code, raised.value.message) == (Code.UNKNOWN, text)
        with pytest.raises(ConnectError) as raised:
            await client.call(f"{GO}/UnimplementedCall")
        assert raised.value.code is Code.UNIMPLEMENTED
        call = await client.stream(f"{GO}/UnaryCall", {}, metadata=sent)
        await call.single()
        assert call.response_headers["x-grpc-test-echo-initial"] == "initial"
        assert call.response_trailers.get_binary("x-grpc-test-echo-trailing-bin") == [b"\xab\xab\xab"]


async def test_grpc_go_deadline(go):
    async def never():
        yield sized(27182)
        await asyncio.Event().wait()

    async with go() as client:
        call = await client.stream(f"{GO}/FullDuplexCall", never(), timeout=0.05)
        with pytest.raises(ConnectError) as raised:
            await anext(call)
    assert raised.value.code is Code.DEADLINE_EXCEEDED


# connect-node, in each protocol and codec.


@pytest.fixture(scope="module")
def node(here, descriptor_set, has_node):
    script = here / "clients" / "serve_connect_node.mjs"
    with process("node", script, descriptor_set) as running:
        port = int(running.stdout.readline())
        yield lambda **options: Client(
            f"http://127.0.0.1:{port}", schema=str(descriptor_set), http="2", **options
        )


@pytest.mark.parametrize("codec", ["proto", "json"])
@pytest.mark.parametrize(
    ("protocol", "theirs"), [("connect", "connect"), ("grpc", "grpc"), ("grpcweb", "grpc-web")]
)
async def test_connect_node(node, protocol, theirs, codec):
    everything = {"big": -(2**62), "text": "grüße", "data": b"\0\xff", "counts": {"a": 1}, "maybe": 0}
    async with node(protocol=protocol, codec=codec, compress="gzip", timeout=WAIT) as client:
        call = await client.stream(
            f"{NODE}/Echo", {"everything": everything}, metadata={"x-echo-initial": "one"}
        )
        answer = await call.single()
        assert answer.protocol == theirs
        assert (answer.everything.big, answer.everything.text) == (-(2**62), "grüße")
        assert answer.everything.HasField("maybe")
        assert call.response_headers["x-echo-initial"] == "one"
        assert call.response_trailers["x-echo-tail"] == "tail"
        counted = await client.stream(f"{NODE}/Count", {"up_to": 3})
        assert [each.number async for each in counted] == [1, 2, 3]
        assert (await client.call(f"{NODE}/Sum", [{"number": 2}, {"number": 2**40}])).sum == 2**40 + 2
        chat = await client.stream(f"{NODE}/Chat", [{"text": "a"}, {"text": "b"}])
        assert [each.text async for each in chat] == ["A", "B"]
        with pytest.raises(ConnectError) as raised:
            await client.call(f"{NODE}/Fail")
        assert (raised.value.code, raised.value.message) == (Code.NOT_FOUND, "not here ☺")
        assert [detail.type for detail in raised.value.details] == ["interop.v1.Missing"]
        with pytest.raises(ConnectError) as raised:
            await client.call(f"{NODE}/Wait", {}, timeout=0.05)
        assert raised.value.code is Code.DEADLINE_EXCEEDED


async def test_connect_node_by_get(node):
    async with node(get=True) as client:
        answer = await client.call(f"{NODE}/Look", {"everything": {"text": "hi"}})
    assert (answer.http_method, answer.everything.text) == ("GET", "hi")


# grpcio, with its own reflection.


@pytest.fixture(scope="module")
def grpcio(descriptor_set):
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(descriptor_set.read_bytes()).file:
        pool.Add(file)
    request = GetMessageClass(pool.FindMessageTypeByName("interop.v1.EchoRequest"))
    response = GetMessageClass(pool.FindMessageTypeByName("interop.v1.EchoResponse"))

    def echo(given, _context):
        return response(everything=given.everything, protocol="grpc")

    handler = grpc.unary_unary_rpc_method_handler(echo, request.FromString, response.SerializeToString)
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NODE, {"Echo": handler}),))
    reflection.enable_server_reflection((NODE, reflection.SERVICE_NAME), server, pool)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(None).wait()


async def test_grpcio_by_its_reflection(grpcio):
    async with Client(grpcio, protocol="grpc") as client:
        assert set((await client.schema()).services) == {NODE}
        answer = await client.call(f"{NODE}/Echo", {"everything": {"text": "hi"}})
        assert (answer.everything.text, answer.protocol) == ("hi", "grpc")


def dynconnect(*arguments):
    command = [Path(sys.executable).with_name("dynconnect"), *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=60)


def test_grpcio_from_the_shell(grpcio, tmp_path):
    assert NODE in dynconnect("list", grpcio, "--protocol", "grpc").stdout
    shown = dynconnect("describe", grpcio, "interop.v1.CountRequest", "--protocol", "grpc")
    assert "int32 up_to = 1;" in shown.stdout
    pulled = tmp_path / "pulled.binpb"
    assert dynconnect("pull", grpcio, "--protocol", "grpc", "-o", pulled).returncode == 0
    assert dynconnect("check", pulled).returncode == 0


# buf curl, side by side.


@pytest.mark.parametrize("protocol", ["connect", "grpc", "grpcweb"])
@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("Echo", {"everything": {"big": "-5", "text": "grüße", "data": "AAE=", "counts": {"b": 2, "a": 1}}}),
        ("Count", {"upTo": 3}),
        ("Fail", {}),
        ("Nobody", {}),
    ],
)
def test_buf_curl_says_the_same(servers, descriptor_set, protocol, method, request_, go_tool):
    url, data = servers["http"][0], json.dumps(request_)
    ours = dynconnect("call", url, f"{NODE}/{method}", "-d", data, "--protocol", protocol, "--http", "2")
    command = [
        go_tool("buf"),
        "curl",
        "--schema",
        descriptor_set,
        "--protocol",
        protocol,
        "--http2-prior-knowledge",
    ]
    command += ["-d", data, f"{url}/{NODE}/{method}"]
    theirs = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert bool(ours.returncode) == bool(theirs.returncode)
    if ours.returncode:
        error = json.loads(theirs.stderr)
        assert ours.stderr.startswith(f"{error['code']}: {error['message']}")
    else:
        assert values(ours.stdout) == values(theirs.stdout)
