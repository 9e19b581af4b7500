"""``dynconnect check``: all that `serve` does before it serves."""

from __future__ import annotations

import click

from dynconnect.cli import inputs, logs

EXAMPLE = """\b
Example:
  dynconnect check api.binpb --plugins plugins/
"""


@click.command(short_help="Check schemas and plugins without serving.", epilog=EXAMPLE)
@inputs.schema_argument
@inputs.plugins_option
@inputs.protoc_option
@inputs.traceback_option
def command(
    schema: tuple[str, ...], plugins: tuple[str, ...], *, protoc: str | None, traceback: bool
) -> None:
    """Load SCHEMA and the plugins as `serve` does, and say what they hold.

    Exits with 0, or with 2 after saying everything that is wrong.
    """
    logs.configure("info", traceback=traceback)
    from dynconnect.cli import banner
    from dynconnect.live.build import build

    banner.summary(build(schema, plugins, protoc=protoc))
