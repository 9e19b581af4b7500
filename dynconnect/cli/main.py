"""The command ``dynconnect``: its subcommands, and how a refusal ends.

A subcommand is imported when it is asked for, and imports what is heavy when it runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from dynconnect.cli import report
from dynconnect.schema.finding import FindingsError

COMMANDS = ("call", "check", "completion", "describe", "dev", "init", "list", "pull", "serve", "stubs")

EXAMPLE = """\b
Example:
  dynconnect serve api.binpb --plugins plugins/
"""


class _Commands(click.Group):
    """A group that finds its commands by the names of their modules, and ends in words."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"dynconnect.cli.{name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:  # Any: the signature of the class above it
        try:
            return super().invoke(ctx)
        except FindingsError as exc:
            report.show(exc.findings)
            ctx.exit(report.BAD_INPUT)


@click.group(
    cls=_Commands,
    epilog=EXAMPLE,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(None, "--version", package_name="dynconnect", message="%(prog)s %(version)s")
def main() -> None:
    """Serve protobuf descriptor sets over Connect, gRPC and gRPC-Web, with no generated code."""
