"""What is served, for people: complete while it is short, and short when there is much."""

from __future__ import annotations

import pytest
from support.protoc import compile_set

from dynconnect.cli import banner
from dynconnect.live.build import build, prepare
from dynconnect.server.engines.endpoint import Endpoint
from dynconnect.server.engines.settings import Settings
from dynconnect.server.engines.table import DEFAULT, ENGINES


def make(tmp_path, services, methods=1, plugin=""):
    lines = ['syntax = "proto3";', "package big.v1;", "message M { string text = 1; }"]
    for service in range(services):
        rpcs = " ".join(f"rpc Do{number}(M) returns (M);" for number in range(methods))
        lines.append(f"service Service{service:02} {{ {rpcs} }}")
    (tmp_path / "api.binpb").write_bytes(compile_set({"big.proto": "\n".join(lines)}))
    (tmp_path / "plugin.py").write_text(plugin)
    return build([str(tmp_path / "api.binpb")], [str(tmp_path / "plugin.py")] * bool(plugin))


PLUGIN = """
from dynconnect import service

@service("big.v1.Service00")
class Some:
    async def do1(self, request, ctx): ...
"""


@pytest.fixture
def endpoint():
    return Endpoint(Settings(), 8080, (), None)


@pytest.fixture
def shown(endpoint, capsys):
    def show(generation):
        banner.show(generation, endpoint, ENGINES[DEFAULT])
        output = capsys.readouterr()
        assert output.out == "", "the output is for results"
        return output.err.splitlines()

    return show


def test_each_method_has_a_line_with_its_shape_and_its_handler(tmp_path, shown, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = shown(make(tmp_path, 1, 2, PLUGIN))
    at = lines.index("big.v1.Service00")
    assert lines[at + 1 : at + 3] == [
        "  Do0  unary          unimplemented",
        "  Do1  unary          plugin.py:6 Some.do1",
    ]
    assert lines[0].startswith("dynconnect ")


def test_many_methods_are_one_line_for_each_service(tmp_path, shown):
    lines = shown(make(tmp_path, 3, 7, PLUGIN))
    assert "big.v1.Service00  7 methods, 1 bound" in lines
    assert "big.v1.Service02  7 methods, 0 bound" in lines
    assert "`dynconnect check` lists every method" in lines
    assert len(lines) < 20


def test_many_services_are_counted(tmp_path, shown):
    lines = shown(make(tmp_path, 50))
    assert "and 30 services more" in lines
    assert len(lines) < banner.MAX_SERVICES + 12


def test_a_schema_without_services_is_no_fault(tmp_path, shown):
    lines = shown(make(tmp_path, 0))
    assert not [line for line in lines if "curl" in line]
    assert [line for line in lines if line.startswith("http://127.0.0.1:8080  ")]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_are_counted_where_there_are_several(tmp_path, endpoint, capsys, workers):
    banner.show(make(tmp_path, 1), endpoint, ENGINES[DEFAULT], workers)
    assert ("2 workers" in capsys.readouterr().err.splitlines()) is (workers == 2)


@pytest.mark.parametrize(
    ("patterns", "line"),
    [
        ((), "no reflection"),
        (("big.v1.*1",), "reflection shows 1 of 2 services"),
        (("big.*", "x.*", "y"), "reflection shows 2 of 2 services; no service is called x.* or y"),
    ],
)
def test_z13_what_reflection_shows_is_said_if_that_is_not_all(tmp_path, endpoint, capsys, patterns, line):
    banner.show(make(tmp_path, 2), endpoint, ENGINES[DEFAULT], reflect=patterns)
    assert line in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("explorer", [False, True])
def test_the_explorer_is_told_of_where_there_is_one(tmp_path, endpoint, capsys, explorer):
    banner.show(make(tmp_path, 1), endpoint, ENGINES[DEFAULT], explorer=explorer)
    said = f"{endpoint.url}/  explore and call it in a browser" in capsys.readouterr().err
    assert said is explorer


def test_the_summary_tells_files_methods_and_handlers_to_the_output(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path, 25, 1, PLUGIN.replace("do1", "do0"))
    capsys.readouterr()
    banner.summary(prepare([str(tmp_path / "api.binpb")], ["plugin.py"]))
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert f"{tmp_path / 'api.binpb'}: 1 file" in lines
    assert lines.count("  Do0  unary          unimplemented") == 24, "complete, however long"
    assert lines[-1] == "25 services, 25 methods: 1 bound, 24 unimplemented"
    assert output.err == ""


@pytest.mark.parametrize(
    ("env", "colours"), [({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)]
)
def test_colours_can_be_refused(tmp_path, shown, monkeypatch, env, colours):
    for name, value in {"TERM": "xterm-256color", **env}.items():
        monkeypatch.setenv(name, value)
    text = "\n".join(shown(make(tmp_path, 1)))
    assert ("\x1b[36m" in text or "\x1b[1;36m" in text) is colours


def test_long_lines_are_not_wrapped(tmp_path, shown, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert [line for line in shown(make(tmp_path, 1)) if "curl" in line and "Service00/Do0" in line]
