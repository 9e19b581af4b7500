"""Z14: clients that know nothing of a schema but what reflection tells them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from urllib.parse import urlsplit

import grpc
import httpx
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub
from support.json_text import values
from support.serving import GUARD, program

OWN = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}
SERVICE = "interop.v1.InteropService"
# Arguments of a call by shape, its requests and its responses.
SHAPES = {
    "Echo": ([{"everything": {"text": "é"}}], None),
    "Count": ([{"upTo": 3}], [{"number": number} for number in (1, 2, 3)]),
    "Sum": ([{"number": number} for number in (1, 2, 39)], [{"sum": "42"}]),
    "Chat": ([{"text": "a"}, {"text": "b"}], [{"text": "A"}, {"text": "B"}]),
}


@pytest.fixture(scope="session")
def reflected(here, tmp_path_factory):
    """A descriptor set of all that is hard to reflect."""
    path = tmp_path_factory.mktemp("reflected") / "set.binpb"
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{here / 'reflected'}", "--include_imports"]
    subprocess.run(
        [*protoc, "--include_source_info", f"--descriptor_set_out={path}", "catalog.proto"], check=True
    )
    return path


@pytest.fixture(scope="module")
def catalog(reflected, here):
    """`host:port` of a server of that set."""
    plugin = here / "reflected" / "plugin.py"
    with program("serve", reflected, "--plugins", plugin, "--port", "0") as server:
        yield urlsplit(server.url).netloc


@pytest.fixture(params=["http", "https"])
def target(request, servers):
    """`host:port` of a server of the service that is called, and its CA, if it has one."""
    url, ca = servers[request.param]
    return urlsplit(url).netloc, ca


def run(*command, data=None):
    done = subprocess.run(
        [str(part) for part in command],
        input=data,
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_answered(method, found):
    expected = SHAPES[method][1]
    if expected is None:
        (found,) = found
        assert found["everything"]["text"] == "é"
    else:
        assert found == expected


# --- grpcurl ------------------------------------------------------------------------------------------------


@pytest.fixture
def grpcurl(go_tool, target):
    """Runs it with options before the host and words behind it."""
    host, ca = target
    options = ["-cacert", ca] if ca else ["-plaintext"]
    return lambda *words, data=None: run(
        go_tool("grpcurl"), *options, *([] if data is None else ["-d", "@"]), host, *words, data=data
    )


def test_grpcurl_lists_services_and_methods(grpcurl):
    assert set(grpcurl("list").split()) == {*OWN, SERVICE}
    assert f"{SERVICE}.Echo" in grpcurl("list", SERVICE).split()


@pytest.mark.parametrize("method", SHAPES)
def test_grpcurl_calls_each_shape(grpcurl, method):
    data = "\n".join(map(json.dumps, SHAPES[method][0]))
    assert_answered(method, values(grpcurl(f"{SERVICE}/{method}", data=data)))


DESCRIBED = [
    ("reflected.v1.Catalog", ["// Keeps items.", 'option (.reflected.v1.team) = "shop";']),
    ("reflected.v1.Catalog.Find", ["// Finds one.", "option idempotency_level = NO_SIDE_EFFECTS;"]),
    (
        "reflected.v1.Item",
        [
            "// An item, whose comment travels too.",
            'option (.reflected.v1.owner) = "catalog";',
            '(.reflected.v1.unit) = { name: "mm", factor: 0.100000 }',
            "extensions 100 to 199;",
        ],
    ),
    ("reflected.v1.Item.kind", ["optional .reflected.v1.Item.Kind kind = 2 [default = KIND_OLD];"]),
    ("reflected.v1.Item.Size", ["optional group Depth = 2 {"]),
    ("reflected.v1.Item.Kind", ['KIND_OLD = 1 [(.reflected.v1.unit_name) = "years"];']),
    ("reflected.v1.color", ["optional string color = 101;"]),
    ("reflected.modern.v1.Event", ["string name = 1;"]),
]


@pytest.mark.parametrize(("symbol", "lines"), DESCRIBED, ids=[symbol for symbol, _ in DESCRIBED])
def test_grpcurl_describes_as_the_author_wrote(go_tool, catalog, symbol, lines):
    text = run(go_tool("grpcurl"), "-plaintext", catalog, "describe", symbol)
    assert [line for line in lines if line not in text] == []


# --- buf curl -----------------------------------------------------------------------------------------------


@pytest.fixture
def buf(go_tool, target):
    host, ca = target
    url, security = (
        (f"https://{host}", ["--cacert", ca]) if ca else (f"http://{host}", ["--http2-prior-knowledge"])
    )
    return lambda *options, path="", data=None: run(
        go_tool("buf"), "curl", *security, *options, url + path, data=data
    )


def test_buf_curl_lists_methods(buf):
    found = set(buf("--list-methods").split())
    assert {f"{SERVICE}/{method}" for method in SHAPES} < found
    assert {name.partition("/")[0] for name in found} == {*OWN, SERVICE}


@pytest.mark.parametrize("version", ["auto", "grpc-v1", "grpc-v1alpha"])
@pytest.mark.parametrize("protocol", ["connect", "grpc", "grpcweb"])
@pytest.mark.parametrize("method", SHAPES)
def test_buf_curl_calls_without_a_schema(buf, method, protocol, version):
    options = ["--protocol", protocol, "--data", "@-"]
    options += [] if version == "auto" else ["--reflect-protocol", version]
    data = "\n".join(map(json.dumps, SHAPES[method][0]))
    assert_answered(method, values(buf(*options, path=f"/{SERVICE}/{method}", data=data)))


# --- grpcio -------------------------------------------------------------------------------------------------


@pytest.fixture
def database(catalog):
    with grpc.insecure_channel(catalog) as channel:
        yield ProtoReflectionDescriptorDatabase(channel)


def symbols(file):
    """Every symbol that *file* declares, with what a pool finds it by; None where it has nothing for it."""

    def of_message(message, scope):
        name = f"{scope}{message.name}"
        yield "FindMessageTypeByName", name
        yield from ((None, f"{name}.{each.name}") for each in (*message.field, *message.oneof_decl))
        yield from of_scope(message.nested_type, message.enum_type, message.extension, f"{name}.")

    def of_scope(messages, enums, extensions, scope):
        for message in messages:
            yield from of_message(message, scope)
        for enum in enums:
            yield "FindEnumTypeByName", f"{scope}{enum.name}"
            yield from ((None, f"{scope}{value.name}") for value in enum.value)
        for extension in extensions:
            yield "FindExtensionByName", f"{scope}{extension.name}"

    scope = f"{file.package}." if file.package else ""
    yield from of_scope(file.message_type, file.enum_type, file.extension, scope)
    for service in file.service:
        yield "FindServiceByName", f"{scope}{service.name}"
        yield from (("FindMethodByName", f"{scope}{service.name}.{method.name}") for method in service.method)


def test_grpcio_resolves_every_symbol_of_the_set(database, reflected):
    files = FileDescriptorSet.FromString(reflected.read_bytes()).file
    assert {"catalog.proto", "modern.proto", "deep/three.proto", "reexported.proto"} < {f.name for f in files}
    pool = DescriptorPool(database)
    count = 0
    for file in files:
        assert database.FindFileByName(file.name) == file
        for find, symbol in symbols(file):
            assert database.FindFileContainingSymbol(symbol).name == file.name, symbol
            if find is not None:
                assert getattr(pool, find)(symbol).full_name == symbol
            count += 1
    assert count > 300


def test_grpcio_asks_for_files_of_extensions(catalog):
    # By its stub: its database asks too, and then forgets the answer.
    wanted = {
        ("reflected.v1.Item", 102): "catalog.proto",
        ("google.protobuf.FieldOptions", 50001): "options.proto",
    }
    requests = [
        ServerReflectionRequest(
            file_containing_extension={"containing_type": extended, "extension_number": number}
        )
        for extended, number in wanted
    ]
    with grpc.insecure_channel(catalog) as channel:
        answers = ServerReflectionStub(channel).ServerReflectionInfo(iter(requests), timeout=GUARD)
        files = [answer.file_descriptor_response.file_descriptor_proto[0] for answer in answers]
    assert [FileDescriptorProto.FromString(data).name for data in files] == list(wanted.values())


def test_grpcio_knows_the_numbers_of_extensions(database):
    assert list(database.FindAllExtensionNumbers("reflected.v1.Item")) == [100, 101, 102]
    assert list(database.FindAllExtensionNumbers("google.protobuf.FieldOptions")) == [50001]
    assert list(database.FindAllExtensionNumbers("reflected.deep.One")) == []
    with pytest.raises(KeyError):
        database.FindFileContainingSymbol("reflected.v1.Nothing")


def test_grpcio_lists_services(database):
    assert set(database.get_services()) == {*OWN, "reflected.v1.Catalog"}
    assert isinstance(database.FindFileContainingSymbol("grpc.health.v1.Health"), FileDescriptorProto)


# --- grpcui -------------------------------------------------------------------------------------------------


def test_grpcui_starts_and_shows_its_form(go_tool, catalog):
    command = [go_tool("grpcui"), "-plaintext", "-bind", "127.0.0.1", "-port", "0", "-open-browser=false"]
    with subprocess.Popen([*command, catalog], stdout=subprocess.PIPE, text=True) as ui:
        try:
            url = re.search(r"http://\S+", ui.stdout.readline())[0]
            page = httpx.get(url, trust_env=False)
            assert page.status_code == 200
            assert '<option value="reflected.v1.Catalog"' in page.text
            form = httpx.get(
                f"{url}metadata", params={"method": "reflected.v1.Catalog.Find"}, trust_env=False
            )
            assert form.json()["requestType"] == "reflected.v1.Item"
        finally:
            ui.terminate()
