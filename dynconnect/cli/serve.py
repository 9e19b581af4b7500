"""``dynconnect serve``: from files to a server."""

from __future__ import annotations

from typing import Any

import click

from dynconnect.cli import inputs, listen

EXAMPLE = """\b
Example:
  dynconnect serve api.binpb --plugins plugins/
"""


@click.command(short_help="Serve schemas with plugins as their handlers.", epilog=EXAMPLE)
@inputs.schema_argument
@inputs.plugins_option
@inputs.config_option
@inputs.protoc_option
@listen.options
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    metavar="COUNT",
    help="Processes that serve; SIGHUP reloads them.",
)
@click.option("--reload", is_flag=True, help="Watch schemas and plugins, and serve every edit.")
@click.option("--drain", **listen.SECONDS, help="Time for calls of an old generation (30).")
@click.option("--mock", is_flag=True, help="Make up answers where there is no handler.")
@inputs.on_breaking_option
@inputs.traceback_option
def command(
    schema: tuple[str, ...],
    plugins: tuple[str, ...],
    *,
    workers: int,
    reload: bool,
    drain: float,
    mock: bool,
    on_breaking: str,
    **options: Any,  # Any: options of different types, those of `launch`
) -> None:
    """Serve SCHEMA: descriptor sets, .proto files, globs or folders of them."""
    from dynconnect.cli.launch import Mode, launch

    launch(
        schema,
        plugins,
        Mode(
            watch=reload,
            drain=drain,
            workers=workers,
            refuse_breaking=on_breaking == "refuse",
            mock=mock,
        ),
        **options,
    )
