"""`dynconnect init`: what it makes runs; and `completion`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.project import PROTO, write
from support.serving import finish, program

from dynconnect.cli.main import main
from dynconnect.cli.report import BAD_INPUT


def made(tmp_path, *schema):
    done = finish("init", "here", *schema, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), tmp_path / "here"


def passes(project):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout


def test_a_project_of_a_small_schema_runs(tmp_path):
    said, project = made(tmp_path)
    assert said[0] == "here: 1 services, 2 methods; now try:"
    passes(project)
    with program("serve", "proto", "--plugins", "plugins", "--port", "0", cwd=project) as server:
        done = finish("call", server.url, "greet.v1.Greeter/Greet", "-d", '{"name": "you"}')
        assert (done.returncode, done.stdout) == (0, "{}\n"), done.stderr


@pytest.mark.parametrize("kind", ["set", "folder"])
def test_a_project_of_a_schema_of_ones_own_has_every_method_in_its_shape(tmp_path, kind):
    (tmp_path / "source").mkdir()
    source = write(tmp_path / "source")
    schema = source / "api.binpb"
    if kind == "folder":
        schema = source / "protos"
        schema.mkdir()
        (schema / "notes.proto").write_text(PROTO)
    said, project = made(tmp_path, schema)
    assert said[0] == "here: 1 services, 5 methods; now try:"
    assert said[2].strip() == f"dynconnect dev {schema.name} --plugins plugins"
    passes(project)
    checked = finish("check", schema.name, "--plugins", "plugins", cwd=project)
    assert checked.stdout.splitlines()[-1] == "1 service, 5 methods: 5 bound, 0 unimplemented"


def test_without_a_compiler_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("dynconnect.schema.compiler.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["init", "here"])
    assert done.exit_code == BAD_INPUT
    assert "pip install 'dynconnect[protoc]'" in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_has_something_is_left_alone(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.txt").write_text("mine")
    done = finish("init", "here", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is something already" in done.stderr
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["mine.txt"]


def test_a_schema_that_is_not_there_leaves_nothing_behind(tmp_path):
    done = finish("init", "here", "nowhere.binpb", cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere.binpb" in done.stderr
    assert not (tmp_path / "here").exists()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_commands_by_the_script():
    script = finish("completion", "bash").stdout
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    words = {"_DYNCONNECT_COMPLETE": "bash_complete", "COMP_WORDS": "dynconnect de", "COMP_CWORD": "1"}
    program = str(Path(sys.executable).with_name("dynconnect"))
    done = subprocess.run([program], env={**os.environ, **words}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["plain,describe", "plain,dev"]
