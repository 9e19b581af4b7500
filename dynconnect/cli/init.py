"""``dynconnect init``: a project that runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynconnect.schema.finding import Finding, FindingsError

if TYPE_CHECKING:
    from dynconnect.schema.method import Method
    from dynconnect.schema.schema import Schema

EXAMPLE = """\b
Example:
  dynconnect init greeter
"""

_PROTO = """\
syntax = "proto3";

package greet.v1;

message GreetRequest {
  string name = 1;
}

message GreetResponse {
  string greeting = 1;
}

service Greeter {
  // One answer to one request.
  rpc Greet(GreetRequest) returns (GreetResponse);
  // An answer to each request of a conversation.
  rpc Chat(stream GreetRequest) returns (stream GreetResponse);
}
"""

_TEST = """\
import asyncio


def test_{name}_answers(dynconnect):
    async def check():
        async with dynconnect("{schema}", "plugins") as server, server.client() as client:
            call = await client.stream("{method}", {request})
            assert [response async for response in call]

    asyncio.run(check())
"""


@click.command(short_help="Begin a project: a schema, its handlers, a test.", epilog=EXAMPLE)
@click.argument("folder", metavar="FOLDER")
@click.argument("schema", metavar="[SCHEMA]", required=False)
def command(folder: str, schema: str | None) -> None:
    """Make FOLDER a project: a handler for each method, and a test of one.

    It is of SCHEMA, a descriptor set or a folder of .proto files, which is copied; or of a small one.
    """
    from dynconnect.live.build import read_schema

    root = Path(folder)
    if root.exists() and any(root.iterdir() if root.is_dir() else [root]):
        raise FindingsError([Finding(folder, "there is something already", "name a new folder")])
    found = None if schema is None else read_schema([schema])
    root.mkdir(parents=True, exist_ok=True)
    try:
        copied = _copied(schema, root)
        found = found or read_schema([str(root / copied)])
        _write(root, copied, found)
    except BaseException:
        shutil.rmtree(root)  # or the next attempt would find something there
        raise
    click.echo(f"{folder}: {len(found.services)} services, {len(found.methods)} methods; now try:")
    for line in (f"cd {folder}", f"dynconnect dev {copied} --plugins plugins", "pytest"):
        click.echo(f"  {line}")


def _copied(schema: str | None, root: Path) -> str:
    """The schema's name below *root*, where it is now."""
    if schema is None:
        folder = root / "proto" / "greet" / "v1"
        folder.mkdir(parents=True)
        (folder / "greet.proto").write_text(_PROTO)
        return "proto"
    source = Path(schema)
    if source.is_dir():
        shutil.copytree(source, root / source.name)
    else:
        shutil.copy(source, root)
    return source.name


def _write(root: Path, schema: str, found: Schema) -> None:
    """Write the handlers, and a test of the simplest."""
    from dynconnect.plugins.skeleton import skeleton

    (root / "plugins").mkdir()
    (root / "plugins" / "handlers.py").write_text(skeleton(found.services))
    (root / "tests").mkdir()
    method = min(found.methods.values(), key=_streams, default=None)
    if method is None:
        return
    name, path = method.name.lower(), method.path.strip("/")
    request = "[{}]" if method.client_streaming else "{}"
    text = _TEST.format(name=name, schema=schema, method=path, request=request)
    (root / "tests" / "test_handlers.py").write_text(text)


def _streams(method: Method) -> int:
    """How far *method* is from a unary one."""
    return method.client_streaming + method.server_streaming
