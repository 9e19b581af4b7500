"""The table of engines: what it says is what is offered, what is documented and what is so."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import httpx
import pytest
from grpc.aio import insecure_channel
from support import workers
from support.serving import GUARD, Certificates, client, program, serving

from dynconnect.cli import serve
from dynconnect.server.engines import table
from dynconnect.server.engines.settings import StartError
from dynconnect.server.engines.table import ENGINES, Ability, Engine

ROOT = Path(__file__).parents[3]
DOCS = (ROOT / "docs/engines.md").read_text()
by_engine = pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
# Of the others, files of their own try what the table says.
INSIDE = {name: engine for name, engine in ENGINES.items() if not engine.outside}
by_inside_engine = pytest.mark.parametrize("engine", INSIDE.values(), ids=list(INSIDE))


def documented():
    """The rows of the table in the documentation: what stands in the first column -> the others."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in DOCS.splitlines() if line[:1] == "|"
    ]
    return {row[0]: row[1:] for row in rows}


def test_the_documentation_says_what_the_table_says():
    rows = documented()
    assert rows.pop("") == list(ENGINES)
    assert rows.pop("---") == ["---"] * len(ENGINES)
    extras = [f"[{engine.extra}]" if engine.extra else "" for engine in ENGINES.values()]
    assert rows.pop("install") == [f"`dynconnect{extra}`" for extra in extras]
    assert rows == {
        ability.value: [
            "yes" if engine.can(ability) else f"no: {engine.lacks[ability]}" for engine in ENGINES.values()
        ]
        for ability in Ability
    }


@by_engine
def test_the_documentation_says_what_an_engine_is(engine):
    text = DOCS.replace("\n  ", " ")
    [line] = [line for line in text.splitlines() if line.startswith(f"- **{engine.name}**")]
    assert line.endswith(f": {engine.about}.")


def test_the_command_line_offers_what_the_table_has():
    [option] = [option for option in serve.command.params if option.name == "engine"]
    assert list(option.type.choices) == list(ENGINES)
    assert option.default == table.DEFAULT
    assert all(name in option.help for name in ENGINES)


@by_engine
def test_an_extra_is_one_of_the_package(engine):
    declared = (ROOT / "pyproject.toml").read_text()
    assert not engine.extra or f"\n{engine.extra} = [" in declared


def test_a_package_that_is_missing_is_said_with_what_installs_it(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'uvicorn.server'", name="uvicorn.server")

    monkeypatch.setattr(table, "import_module", missing)
    with pytest.raises(StartError) as caught:
        ENGINES["uvicorn"].load()
    assert (
        str(caught.value) == "--engine uvicorn: uvicorn is not installed; pip install 'dynconnect[uvicorn]'"
    )


def test_a_module_of_ours_that_is_missing_is_our_fault():
    with pytest.raises(ModuleNotFoundError):
        Engine("nginx", "", extra="nginx").load()


# What the table says, tried. gRPC, HTTP/1.1 and prior knowledge are the engine suite's at length.


async def echo(scope, receive, send):
    assert scope["type"] == "http"
    trailers = "http.response.trailers" in scope.get("extensions", ())
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": trailers})
    await send({"type": "http.response.body", "body": scope["http_version"].encode()})
    if trailers:
        await send({"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]})


@by_inside_engine
@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("tls", [False, True])
async def test_each_transport(engine, http2, tls, tmp_path):
    needed = ({Ability.TLS} if tls else {Ability.H2C}) if http2 else {Ability.HTTP1}
    if not all(map(engine.can, needed)):
        pytest.skip(f"{engine.name} does not claim to have it: docs/engines.md says why")
    pytest.importorskip(engine.name)
    certificates = Certificates(tmp_path)
    settings = certificates.server if tls else {}
    async with (
        serving(echo, engine=engine.name, **settings) as url,
        client(url, http2=http2, verify=certificates.trusting()) as http,
    ):
        assert (await http.post("/")).text == ("2" if http2 else "1.1")


@by_inside_engine
async def test_client_certificates(engine, tmp_path):
    pytest.importorskip(engine.name)
    certificates = Certificates(tmp_path)
    settings = {**certificates.server, "tls_client_ca": certificates.authority}
    async with serving(echo, engine=engine.name, **settings) as url:
        async with client(url, verify=certificates.trusting(identified=True)) as http:
            assert (await http.post("/")).text == "1.1"
        async with client(url, verify=certificates.trusting()) as http:
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                await http.post("/")


@by_inside_engine
async def test_trailers(engine):
    pytest.importorskip(engine.name)
    async with serving(echo, engine=engine.name) as url, insecure_channel(url.partition("//")[2]) as channel:
        async with asyncio.timeout(GUARD):
            found = channel.unary_stream("/test/Call")(b"")
            assert (await found.initial_metadata()) is not None


@by_inside_engine
async def test_http_3(engine, tmp_path):
    pytest.importorskip(engine.name)
    async with serving(echo, engine=engine.name, **Certificates(tmp_path).server) as url:
        assert _udp_is_taken(int(url.rpartition(":")[2])) is engine.can(Ability.HTTP3)


def _udp_is_taken(port):
    """Whether somebody listens on UDP there, as HTTP/3 does."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


@by_inside_engine
async def test_upgrade(engine):
    pytest.importorskip(engine.name)
    offer = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAQAAQAA\r\n\r\n"
    async with serving(echo, engine=engine.name) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n" + offer)
        assert (await reader.readline()).startswith(b"HTTP/1.1 101 ") is engine.can(Ability.UPGRADE)
        writer.close()
        await writer.wait_closed()


@by_inside_engine
def test_worker_processes(engine, tmp_path):
    pytest.importorskip(engine.name)
    with program(*workers.SERVE, "--engine", engine.name, cwd=workers.write(tmp_path)) as server:
        assert (len(workers.answers(server.url)) == 2) is engine.can(Ability.WORKERS)
