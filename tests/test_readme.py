"""What the README shows is run: its commands, its plugins, its curl line, its embedding."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.protoc import compile_set
from support.serving import program, running

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
SCHEMA = """
syntax = "proto3";
package shop.v1;
message Order { string id = 1; }
message Reply { Order order = 1; }
message Total { int32 count = 1; }
message Line { string text = 1; }
service Orders {
  rpc Get(Order) returns (Reply);
  rpc Watch(Order) returns (stream Order);
  rpc Count(stream Order) returns (Total);
  rpc Chat(stream Line) returns (stream Line);
}
service Stock { rpc Count(Order) returns (Total); }
"""


def block(language: str, containing: str) -> str:
    (found,) = [text for kind, text in BLOCKS if kind == language and containing in text]
    return found


@pytest.fixture
def project(tmp_path):
    (tmp_path / "api.binpb").write_bytes(compile_set({"shop.proto": SCHEMA}))
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "orders.py").write_text(block("python", '@service("shop.v1.Orders")'))
    (tmp_path / "plugins" / "stock.py").write_text(block("python", "@resource"))
    (tmp_path / "dynconnect.toml").write_text(block("toml", "[plugins.stock]"))
    (tmp_path / "plugins" / "shout.py").write_text(block("python", "@interceptor"))
    return tmp_path


def post(url: str, method: str, body: str, service: str = "Orders") -> httpx.Response:
    headers = {"content-type": "application/json"}
    return httpx.post(f"{url}/shop.v1.{service}/{method}", content=body, headers=headers, trust_env=False)


def test_the_handlers_of_the_readme_answer(project):
    command = block("sh", "dynconnect serve api.binpb").splitlines()[-1]
    assert command.startswith("dynconnect serve api.binpb --plugins plugins/")
    with program(*shlex.split(command)[1:], "--port", "0", cwd=project) as server:
        found = post(server.url, "Get", '{"id": "1"}')
        assert (found.json(), found.headers["x-cache"]) == ({"order": {"id": "1"}}, "miss")
        missing = post(server.url, "Get", '{"id": "7"}')
        assert (missing.status_code, missing.json()) == (404, {"code": "not_found", "message": "order 7"})


def test_the_resource_of_the_readme_is_there_and_its_data_is_handed_over(project):
    with program("dev", "api.binpb", "--plugins", "plugins", "--port", "0", cwd=project) as server:
        before = post(server.url, "Count", "{}", "Stock")
        assert (project / "stock.db").exists()
        stock = project / "plugins" / "stock.py"
        stock.write_text(stock.read_text().replace("len(self.asked)", "len(self.asked) + 10"))
        server.line("gen 2")
        after = post(server.url, "Count", "{}", "Stock")
    assert [answer.json() for answer in (before, after)] == [{"count": 1}, {"count": 12}]


def test_sources_are_served_as_the_readme_says(project):
    (project / "proto").mkdir()
    (project / "proto" / "shop.proto").write_text(SCHEMA)
    command = block("sh", "dynconnect serve proto/").splitlines()[-1]
    with program(*shlex.split(command)[1:], "--port", "0", cwd=project) as server:
        assert post(server.url, "Get", '{"id": "1"}').json() == {"order": {"id": "1"}}


def test_the_check_of_the_readme_passes(project):
    assert "dynconnect check api.binpb --plugins plugins/" in TEXT
    with program("check", "api.binpb", "--plugins", "plugins/", cwd=project) as checked:
        assert checked.finished() == 0
    assert "5 bound" in checked.text


def test_stubs_are_written_as_the_readme_says(project):
    command = block("sh", "dynconnect stubs").splitlines()[0].partition("#")[0]
    with program(*shlex.split(command)[1:], cwd=project) as written:
        assert written.finished() == 0
    assert "class Order" in (project / "typings/dynconnect_types/shop/v1/__init__.pyi").read_text()


def test_a_server_is_called_as_the_readme_says(project):
    commands = block("sh", "dynconnect call http").splitlines()
    with program("serve", "api.binpb", "--plugins", "plugins/", "--port", "0", cwd=project) as server:
        said = []
        for command in commands:
            here = command.replace("http://localhost:8080", server.url)
            with program(*shlex.split(here)[1:], cwd=project) as asked:
                assert asked.finished() == 0, asked.text
            said.append(asked.text)
        code = block("python", "async with Client(url)").replace("http://localhost:8080", server.url)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Watch  shop.v1.Order → stream shop.v1.Order" in said[0]
    assert "rpc Watch(shop.v1.Order) returns (stream shop.v1.Order);" in said[1]
    assert '"order": {"id": "1"}' in said[2]
    assert "pulled.binpb: 2 services in 1 files" in said[3]
    assert done.stdout == 'order {\n  id: "1"\n}\n\n1\n'


def test_the_test_of_the_readme_passes(project):
    (project / "test_orders.py").write_text(block("python", "def test_"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_orders.py"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout


def test_an_edit_is_served_as_the_readme_says(project):
    command = block("sh", "dynconnect dev api.binpb --plugins")
    with program(*shlex.split(command)[1:], "--port", "0", cwd=project) as server:
        before = post(server.url, "Get", '{"id": "1"}')
        orders = project / "plugins" / "orders.py"
        orders.write_text(orders.read_text().replace('"miss"', '"hit"'))
        server.line("gen 2")
        after = post(server.url, "Get", '{"id": "1"}')
    assert [answer.headers["x-cache"] for answer in (before, after)] == ["miss", "hit"]
    assert [answer.headers["dynconnect-generation"] for answer in (before, after)] == ["1", "2"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_the_curl_line_works_with_what_make_serve_serves():
    recipe = (ROOT / "Makefile").read_text()
    (arguments,) = re.findall(r"/dynconnect (serve .*)", recipe)
    with program(*shlex.split(arguments), "--port", "0", cwd=ROOT) as server:
        line = block("sh", "curl").replace("http://localhost:8080", server.url)
        done = subprocess.run(["sh", "-c", line], capture_output=True, check=True, text=True)
    assert '"sentence"' in done.stdout


async def test_a_server_stands_in_front_of_another_application(project, monkeypatch):
    async def page(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a page"})

    class App:
        asgi_app = staticmethod(page)

    monkeypatch.chdir(project)
    names = {"app": App()}
    exec(block("python", "load("), names)  # noqa: S102  the README's own lines
    async with running(names["app"].asgi_app) as server, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{server.url}/about")).text == "a page"
        headers = {"content-type": "application/json"}
        answer = await client.post(f"{server.url}/shop.v1.Orders/Get", content='{"id":"1"}', headers=headers)
        assert answer.json() == {"order": {"id": "1"}}


def test_the_options_of_the_readme_exist():
    known = ""
    for command in ("serve", "dev", "call"):
        with program(command, "--help") as helped:
            assert helped.finished() == 0
        known += helped.text
    described = set(re.findall(r"`(--[a-z0-9-]+)", TEXT))
    assert described
    assert [option for option in described if option not in known] == []


def test_the_make_targets_of_the_readme_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = re.findall(r"(?:^    |`)make ([a-z -]+?)(?:`|\s+#)", TEXT, re.MULTILINE)
    named = {target for line in lines for target in line.split()}
    assert named == {
        "serve",
        "test",
        "lint",
        "conformance",
        "protobuf-conformance",
        "interop",
        "browser",
        "bench",
    }
    assert named <= set(targets)


def test_every_python_block_is_run_above():
    blocks = [text for kind, text in BLOCKS if kind == "python"]
    marks = ('@service("shop.v1.Orders")', "@interceptor", "@resource", "def test_", "Client(url)", "load(")
    assert blocks == [block("python", mark) for mark in marks]
