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
@click.option("--no-mock", is_flag=True, help="Do not mock methods without a handler.")
@click.option("--stubs", **listen.FILE, help="Keep the files of `stubs` in this folder.")
@inputs.traceback_option
def command(
    schema: tuple[str, ...],
    plugins: tuple[str, ...],
    *,
    on_breaking: str,
    no_mock: bool,
    stubs: Path | None,
    **options: Any,  # Any: options of different types, those of `launch`
) -> None:
    """Serve SCHEMA as `serve --reload` does, with mocks, and an explorer at /.

    Answers name their generation. Keys: r reload, l list, u undo, q quit.
    """
    from dynconnect.cli.launch import Mode, launch

    refuse = on_breaking == "refuse"
    mode = Mode(watch=True, dev=True, refuse_breaking=refuse, stubs=stubs, mock=not no_mock)
    launch(schema, plugins, mode, **options)
