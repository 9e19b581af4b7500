"""A real browser, and servers for it to look at."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.serving import program

HERE = Path(__file__).parent
# `run` sets it, and only then is the browser there: `make test` needs none.
BROWSER = os.environ.get("DYNCONNECT_BROWSER")
collect_ignore_glob = [] if BROWSER else ["test_*.py"]

GUARD = 15_000
"""Milliseconds after which whoever waits for the page has failed."""


class Shop:
    """A folder with the schema and the plugin of this folder, and a server of them."""

    def __init__(self, folder: Path) -> None:
        self.schema, self.plugin = folder / "shop.proto", folder / "plugins" / "shop.py"
        self.plugin.parent.mkdir()
        for file in (self.schema, self.plugin):
            file.write_text((HERE / file.name).read_text())
        self.folder = folder

    def serving(self, *options, command="dev"):
        return program(
            command, "shop.proto", "--plugins", "plugins", "--port", "0", *options, cwd=self.folder
        )

    def edit(self, file: Path, old: str, new: str) -> None:
        text = file.read_text()
        assert text.count(old) == 1
        file.write_text(text.replace(old, new))


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A server that nobody edits."""
    with Shop(tmp_path_factory.mktemp("shop")).serving() as server:
        yield server.url


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=GUARD)
    with sync_playwright() as playwright:
        # As root, as in CI, Chromium has no sandbox.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        with playwright.chromium.launch(executable_path=BROWSER, args=options) as browser:
            yield browser


class Watched:
    """What a page complains of, and whom it asks."""

    def __init__(self, context):
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.hosts_max = 1
        self.allowed: set[str] = set()
        """Paths whose answers are errors, of which a browser tells in the console, whatever a page does."""
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def _heard(self, message):
        path = urlsplit(message.location["url"]).path
        if message.type in ("error", "warning") and path not in self.allowed:
            self.complaints.append(f"{message.text} ({message.location})")


@pytest.fixture
def watched():
    """Filled by `context`."""
    return []


@pytest.fixture
def context(browser, request, watched):
    """A browser without a past; no page in it may complain, or ask another host than its own server."""
    options = getattr(request, "param", {})
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
    context.set_default_timeout(GUARD)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    pages = Watched(context)
    watched.append(pages)
    yield context
    context.close()
    assert pages.complaints == []
    assert len(pages.hosts) <= pages.hosts_max, pages.hosts


@pytest.fixture
def page(context):
    return context.new_page()
