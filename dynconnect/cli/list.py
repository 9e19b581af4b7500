"""``dynconnect list``: the methods of a server, or of a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dynconnect.cli import target

if TYPE_CHECKING:
    from dynconnect.schema.method import Method
    from dynconnect.schema.schema import Schema

EXAMPLE = """\b
Example:
  dynconnect list http://localhost:8080
"""


@click.command(name="list", short_help="List the methods of a server or a schema.", epilog=EXAMPLE)
@click.argument("where", metavar="URL|SCHEMA...", nargs=-1, required=True)
@target.options
def command(where: tuple[str, ...], **options: Any) -> None:  # Any: those of `target`
    """List the services and methods of the server at URL, or of SCHEMA."""
    for name, methods in schema_of(where, **options).services.items():
        click.secho(name, bold=True)
        for method in methods:
            click.echo(f"  {method.name}  {_shape(method)}")


def schema_of(where: tuple[str, ...], **options: Any) -> Schema:  # Any: as above
    """What the server, or the files, at *where* declare."""
    if not target.is_url(where[0]):
        from dynconnect.live.build import read_schema

        return read_schema(where)

    async def asked() -> Schema:
        async with target.client(where[0], **options) as client:
            return await client.schema()

    return target.run(asked())


def _shape(method: Method) -> str:
    request, response = method.input.DESCRIPTOR.full_name, method.output.DESCRIPTOR.full_name
    streams = ("stream " if method.client_streaming else "", "stream " if method.server_streaming else "")
    return f"{streams[0]}{request} → {streams[1]}{response}"
