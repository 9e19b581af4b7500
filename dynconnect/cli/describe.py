"""``dynconnect describe``: one service, method, message or enum, as .proto source."""

from __future__ import annotations

from typing import Any

import click

from dynconnect.cli import target
from dynconnect.cli.list import schema_of
from dynconnect.schema.finding import Finding, FindingsError

EXAMPLE = """\b
Example:
  dynconnect describe http://localhost:8080 connectrpc.eliza.v1.ElizaService
"""


@click.command(short_help="Show a service or a type as .proto source.", epilog=EXAMPLE)
@click.argument("where", metavar="URL|SCHEMA")
@click.argument("symbol", metavar="SYMBOL")
@target.options
def command(where: str, symbol: str, **options: Any) -> None:  # Any: those of `target`
    """Show SYMBOL of the server at URL, or of SCHEMA, with its comments.

    A symbol is the full name of a service, a method, a message or an enum.
    """
    from dynconnect.schema.described import describe

    try:
        click.echo(describe(schema_of((where,), **options), symbol))
    except LookupError as exc:
        raise FindingsError([Finding(symbol, str(exc.args[0]))]) from None
