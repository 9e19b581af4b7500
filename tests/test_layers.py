"""The import rule: a room imports only rooms below it, and nothing goes round."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support import house

PACKAGE = Path(__file__).parents[1] / "dynconnect"

ROOMS = ("rpc", "wire", "schema", "plugins", "live", "client", "server", "cli")
"""From the ground up."""

SILENT = ("rpc", "wire", "schema")
"""Rooms without input or output."""
IO = ("asyncio", "selectors", "socket", "socketserver")

ONLY_IN = {
    "hypercorn": ("server.engines.hypercorn",),
    "uvicorn": ("server.engines.uvicorn",),
    "httptools": ("server.engines.uvicorn",),
    "pyqwest": ("client.http",),
    "pytest": ("server.pytest_plugin",),
    "pyvoy": ("server.engines.pyvoy",),
    "click": ("cli.",),
    "rich": ("cli.",),
    "watchfiles": ("live.watch",),
    "quart": ("server.console",),
    "hpack": ("server.http2",),
    # 170 ms and 18 MiB, for nothing we use: the descriptors come from packages that don't need it.
    "grpc": (),
}
"""Where a foreign package may be imported: the beginnings of module names, without the package's."""

ASGI_IN = ("server.asgi", "server.cors", "server.http2", "server.console", "server.engines")


def stray_rooms(known):
    """Modules that are in none of the rooms; the package's own front is no room."""
    return [name for name, module in known.items() if module.room not in ("", *ROOMS)]


def upward_imports(known):
    level = {room: at for at, room in enumerate(ROOMS)}
    # The package's front stands above all rooms: it may name them, and none of them may name it.
    level[""] = len(ROOMS)
    return [
        f"{name} imports {other}"
        for name, others in house.graph(known).items()
        for other in sorted(others)
        if level[known[other].room] > level[known[name].room]
    ]


def foreign_imports(known, wanted):
    """Pairs of a module, without the package's name, and which of *wanted* it imports."""
    for name, module in known.items():
        tops = {found.partition(".")[0] for found in module.imports()}
        for top in sorted(tops.intersection(wanted)):
            yield name.partition(".")[2], top


def noisy(known):
    return [f"{name} imports {io}" for name, io in foreign_imports(known, IO) if name.startswith(SILENT)]


def misplaced(known):
    found = foreign_imports(known, ONLY_IN)
    return [f"{name} imports {other}" for name, other in found if not name.startswith(ONLY_IN[other])]


def asgi_speakers(known):
    """Modules with a function that takes a scope, a receive and a send."""
    for name, module in known.items():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.arguments) and {"scope", "receive", "send"} <= {a.arg for a in node.args}:
                yield name.partition(".")[2]


@pytest.fixture(scope="module")
def known():
    found = house.modules(PACKAGE)
    assert len(found) > 20, f"only {len(found)} modules in {PACKAGE}: the checks would see nothing"
    return found


def test_every_module_is_in_a_room(known):
    assert stray_rooms(known) == []


def test_every_room_below_the_server_is_seen(known):
    assert {module.room for module in known.values()} >= {"rpc", "wire", "schema"}


def test_rooms_import_only_rooms_below(known):
    assert upward_imports(known) == []


def test_no_modules_import_each_other_round_about(known):
    assert house.cycles(house.graph(known)) == []


def test_cores_do_no_io(known):
    assert noisy(known) == []


def test_foreign_packages_stay_where_they_belong(known):
    assert misplaced(known) == []


def test_asgi_is_spoken_in_the_server_room_alone(known):
    assert [name for name in asgi_speakers(known) if not name.startswith(ASGI_IN)] == []


# The checks themselves, on a small tree with one fault at a time.

GOOD = {
    "__init__.py": "from house_of_cards.rpc.code import Code",
    "__main__.py": "from house_of_cards.cli.main import main",
    "rpc/__init__.py": "",
    "rpc/code.py": "import enum",
    "rpc/errors.py": "from dynconnect_like.rpc.code import Code\nfrom . import code",
    "wire/__init__.py": "",
    "wire/base.py": "from house_of_cards.rpc import code, errors",
    "server/asgi.py": "import asyncio\nasync def app(scope, receive, send): ...",
    "server/engines/hypercorn_tls.py": "from hypercorn.config import Config",
    "cli/main.py": "import click\ndef main(): ...",
}

FAULTS = [
    pytest.param(
        "attic/old.py", "", stray_rooms, ["house_of_cards.attic.old"], id="a module outside the rooms"
    ),
    pytest.param(
        "rpc/up.py",
        "from house_of_cards.wire import base",
        upward_imports,
        ["house_of_cards.rpc.up imports house_of_cards.wire.base"],
        id="an import upwards",
    ),
    pytest.param(
        "rpc/late.py",
        "def f():\n    import house_of_cards.wire.base",
        upward_imports,
        ["house_of_cards.rpc.late imports house_of_cards.wire.base"],
        id="upwards, in a function",
    ),
    pytest.param(
        "rpc/typed.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..wire.base import Offer",
        upward_imports,
        ["house_of_cards.rpc.typed imports house_of_cards.wire.base"],
        id="upwards, relative and for typing",
    ),
    pytest.param(
        "rpc/by_name.py",
        "import importlib\nimportlib.import_module('house_of_cards.wire.base')",
        upward_imports,
        ["house_of_cards.rpc.by_name imports house_of_cards.wire.base"],
        id="upwards, by name",
    ),
    pytest.param(
        "rpc/front.py",
        "from house_of_cards import Code",
        upward_imports,
        ["house_of_cards.rpc.front imports house_of_cards"],
        id="from the package's front",
    ),
    pytest.param(
        "rpc/code.py",
        "def f():\n    from house_of_cards.rpc.errors import E",
        lambda known: house.cycles(house.graph(known)),
        [["house_of_cards.rpc.code", "house_of_cards.rpc.errors"]],
        id="a cycle inside a room",
    ),
    pytest.param(
        "wire/io.py", "from asyncio import sleep", noisy, ["wire.io imports asyncio"], id="a core that waits"
    ),
    pytest.param(
        "schema/io.py", "import socket", noisy, ["schema.io imports socket"], id="a core with a socket"
    ),
    pytest.param(
        "server/asgi.py",
        "import hypercorn",
        misplaced,
        ["server.asgi imports hypercorn"],
        id="an engine elsewhere",
    ),
    pytest.param(
        "live/say.py", "import rich.text", misplaced, ["live.say imports rich"], id="colours elsewhere"
    ),
    pytest.param(
        "schema/system.py", "import grpc", misplaced, ["schema.system imports grpc"], id="grpc anywhere"
    ),
    pytest.param(
        "live/app.py",
        "class A:\n    async def __call__(self, scope, receive, send): ...",
        lambda known: [name for name in asgi_speakers(known) if not name.startswith(ASGI_IN)],
        ["live.app"],
        id="an ASGI application elsewhere",
    ),
]


def plant(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return house.modules(root)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "house_of_cards"


def test_a_sound_tree_has_no_faults(root):
    known = plant(root, {**GOOD, "rpc/errors.py": "from .code import Code"})
    assert len(known) == len(GOOD)
    checks = (stray_rooms, upward_imports, noisy, misplaced)
    assert [check(known) for check in checks] == [[], [], [], []]
    assert house.cycles(house.graph(known)) == []


@pytest.mark.parametrize(("path", "text", "check", "expected"), FAULTS)
def test_each_check_finds_its_fault(root, path, text, check, expected):
    assert check(plant(root, {**GOOD, path: text})) == expected


def test_a_relative_import_in_a_package_counts_from_itself(root):
    known = plant(root, {**GOOD, "wire/__init__.py": "from . import base\nfrom ..rpc import code"})
    assert house.graph(known)["house_of_cards.wire"] == {
        "house_of_cards.wire.base",
        "house_of_cards.rpc.code",
    }
