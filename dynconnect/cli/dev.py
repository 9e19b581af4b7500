"""``dynconnect dev``: `serve` for those who write the schema and the plugins at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dynconnect.cli import inputs, listen

EXAMPLE = """\b
Example:
  dynconnect dev api.binpb --plugins plugins/
"""


@click.command(short_help="Serve, and reload on every edit.", epilog=EXAMPLE)
@inputs.schema_argument
@inputs.plugins_option
@inputs.config_option
@inputs.protoc_option
@listen.options
@inputs.on_breaking_option
@click.option("--stubs", **listen.FILE, help="Keep the files of `stubs` in this folder.")
@inputs.traceback_option
def command(
    schema: tuple[str, ...],
    plugins: tuple[str, ...],
    *,
    on_breaking: str,
    stubs: Path | None,
    **options: Any,  # Any: options of different types, those of `launch`
) -> None:
    """Serve SCHEMA as `serve --reload` does, for development.

    Every answer names its generation in the header dynconnect-generation, calls that run keep the old
    generation as long as they like, and in a terminal keys are taken: r reload, l list, q quit.
    """
    from dynconnect.cli.launch import Mode, launch

    mode = Mode(watch=True, dev=True, refuse_breaking=on_breaking == "refuse", stubs=stubs)
    launch(schema, plugins, mode, **options)
