from __future__ import annotations

import textwrap

import pytest
from support.shop import shop

from dynconnect.plugins.discovery import discover


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder `plugins`, seen from its parent."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    return tmp_path / "plugins"


@pytest.fixture
def write(folder):
    """Write files by name, relative to the folder `plugins`."""

    def write(**files):
        for name, text in files.items():
            path = folder / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    return write


@pytest.fixture
def load(folder):
    """Discover plugins; their modules are gone after the test."""
    loaded = []

    def load(*paths, generation=1, schema=None, entry_points=()):
        plugins = discover(paths or ["plugins"], generation, schema or shop(), entry_points)
        loaded.append(plugins)
        return plugins

    yield load
    for plugins in loaded:
        plugins.close()
