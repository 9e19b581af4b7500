"""The guestbook, edited while it runs as its README says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import grpc
import httpx
import pytest
from support.serving import program

from dynconnect import Code, ConnectError

pytest.importorskip("grpc_tools", reason="the schema is compiled")

EXAMPLE = Path(__file__).parents[2] / "examples" / "guestbook"
SERVICE = "/guestbook.v1.GuestbookService"


@pytest.fixture
def book(tmp_path):
    return Path(shutil.copytree(EXAMPLE, tmp_path / "guestbook"))


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def sign(url, **entry):
    return httpx.post(f"{url}{SERVICE}/Sign", json={"entry": entry}, trust_env=False)


def test_its_schema_and_its_handlers_are_edited_while_it_runs(book):
    plugin = book / "plugins" / "guestbook.py"
    with program("dev", "guestbook.proto", "--plugins", "plugins", "--port", "0", cwd=book) as server:
        assert sign(server.url, name="Ada", text=" Lovely. ").json() == {
            "entry": {"name": "Ada", "text": "Lovely."},
            "count": 1,
        }
        with grpc.insecure_channel(server.url.removeprefix("http://")) as channel:
            entries = channel.unary_stream(f"{SERVICE}/Read")(b"")
            assert b"Ada" in next(entries)

            edit(plugin, "return text.strip()", 'return f"« {text.strip()} »"')
            server.line(r"↻ gen 2  plugins/guestbook\.py")
            assert sign(server.url, name="Bob", text="Hi").json() == {
                "entry": {"name": "Bob", "text": "« Hi »"},
                "count": 2,
            }
            assert "« Hi »".encode() in next(entries), "who reads along sees it, on the old generation"

            edit(book / "guestbook.proto", "string text = 2;", "string text = 2;\n  string from = 3;")
            server.line(r"\+ Entry\.from \(3, string\)")
            signed = {"name": "Cleo", "text": "Ho", "from": "London"}
            assert sign(server.url, **signed).json()["entry"] == signed | {"text": "« Ho »"}

            edit(plugin, "async def sign", "async def sing")
            server.line("did you mean")
            server.line("still serving gen 3")
            edit(book / "guestbook.proto", "string name = 1;", "string name = 1")
            server.line(r"error: guestbook\.proto:\d+:\d+")
            assert sign(server.url, name="Dan").json()["count"] == 4
            entries.cancel()


@pytest.mark.parametrize("protocol", ["connect", "grpc", "grpcweb"])
async def test_who_does_not_sign_is_told(dynconnect, protocol):
    files = str(EXAMPLE / "guestbook.proto"), str(EXAMPLE / "plugins")
    async with dynconnect(*files) as server, server.client(protocol) as client:
        with pytest.raises(ConnectError) as raised:
            await client.call(f"{SERVICE}/Sign", {"entry": {"text": "nobody"}})
        assert raised.value.code is Code.INVALID_ARGUMENT
        signed = await client.call(f"{SERVICE}/Sign", {"entry": {"name": "Ada", "text": "Lovely."}})
        assert (signed.entry.name, signed.count) == ("Ada", 1)


def test_the_readme_shows_what_is_there():
    text = (EXAMPLE / "README.md").read_text()
    for name in re.findall(r"`(plugins/\w+\.py|\w+\.proto)`", text):
        assert (EXAMPLE / name).exists()
    assert "return text.strip()" in (EXAMPLE / "plugins/guestbook.py").read_text()
