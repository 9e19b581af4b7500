"""``dynconnect check``: all that `serve` looks at before it runs anything but modules."""

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
@inputs.config_option
@inputs.protoc_option
@inputs.traceback_option
def command(
    schema: tuple[str, ...],
    plugins: tuple[str, ...],
    *,
    config: str | None,
    protoc: str | None,
    traceback: bool,
) -> None:
    """Load SCHEMA and the plugins as `serve` does, and say what they hold.

    Neither constructors nor resources run: nothing else has to be there.
    Exits with 0, or with 2 after saying everything that is wrong.
    """
    logs.configure("info", traceback=traceback)
    from dynconnect.cli import banner
    from dynconnect.live.build import prepare

    banner.summary(prepare(schema, plugins, config=config, protoc=protoc))
