"""Arguments and options that several commands share."""

from __future__ import annotations

import click

schema_argument = click.argument("schema", nargs=-1, required=True, metavar="SCHEMA...")

plugins_option = click.option(
    "--plugins", multiple=True, metavar="PATH", help="Plugin file, folder or module; repeatable."
)

# Whether it is there is not click's to say: a build does, with all else that is wrong.
protoc_option = click.option("--protoc", metavar="PROGRAM", help="Compile .proto files by this protoc.")

traceback_option = click.option(
    "--traceback", is_flag=True, help="Show the tracebacks of plugins that fail to load."
)

on_breaking_option = click.option(
    "--on-breaking",
    type=click.Choice(["serve", "refuse"]),
    default="serve",
    metavar="ACTION",
    help="serve an edit that breaks callers, or refuse it.",
)
