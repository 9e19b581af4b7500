"""Type checkers hold the examples against their schemas, by the stubs that `dynconnect stubs` writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.serving import finish

pytest.importorskip("grpc_tools", reason="a schema is compiled")

ROOT = Path(__file__).parents[2]
SCHEMAS = {"eliza": "eliza.binpb", "guestbook": "guestbook.proto"}
CONFIG = "[mypy]\nstrict = true\n[mypy-google.rpc.*]\nignore_missing_imports = true\n"

ELIZA, BOOK = ("eliza", "eliza/__init__.py"), ("guestbook", "guestbook.py")
PLANTED = [
    pytest.param(ELIZA, "request.name", "request.nam", '"IntroduceRequest" has no attribute', id="a field"),
    pytest.param(ELIZA, "async def say(", "async def sai(", "protocol member", id="a missing handler"),
    pytest.param(
        ELIZA,
        "request: SayRequest",
        "request: IntroduceRequest",
        "Incompatible return value",
        id="another request",
    ),
    pytest.param(ELIZA, "            yield {", "            return {", "Incompatible", id="another shape"),
    pytest.param(
        BOOK, "request.entry.text = _framed", "request.entry = _framed", "read-only", id="a message"
    ),
    pytest.param(BOOK, "-> AsyncIterator[Entry]", "-> AsyncIterator[int]", "Incompatible", id="a response"),
    pytest.param(BOOK, "entry.name", "entry.name.year", '"str" has no attribute "year"', id="a field's type"),
    pytest.param(
        BOOK, "types.guestbook.v1 import Entry", "types.guestbook.v1 import Entri", '"Entri"', id="a name"
    ),
]


@pytest.fixture(scope="module")
def typings(tmp_path_factory):
    """A folder of stubs for each example."""
    folders = {}
    for example, schema in SCHEMAS.items():
        folders[example] = tmp_path_factory.mktemp(example)
        done = finish("stubs", ROOT / "examples" / example / schema, "--output", folders[example])
        assert done.returncode == 0, done.stderr
    return folders


def mypy(typings, plugins, tmp_path):
    config = tmp_path / "mypy.ini"
    config.write_text(CONFIG)
    # One cache for all: what is imported is the same.
    cache = next(iter(typings.values())) / "cache"
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir", cache, "."],
        cwd=plugins,
        env={**os.environ, "MYPYPATH": f"{typings[plugins.parent.name]}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )


def copied(example, tmp_path):
    return Path(shutil.copytree(ROOT / "examples" / example, tmp_path / example)) / "plugins"


@pytest.mark.parametrize("example", SCHEMAS)
def test_the_examples_pass(example, typings, tmp_path):
    done = mypy(typings, copied(example, tmp_path), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("where", "old", "new", "message"), PLANTED)
def test_a_slip_is_found(where, old, new, message, typings, tmp_path):
    example, file = where
    plugins = copied(example, tmp_path)
    text = (plugins / file).read_text()
    assert old in text
    (plugins / file).write_text(text.replace(old, new, 1))
    done = mypy(typings, plugins, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert message in done.stdout
