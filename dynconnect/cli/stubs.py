"""``dynconnect stubs``: what editors and type checkers may know of ``dynconnect_types``."""

from __future__ import annotations

from pathlib import Path

import click

from dynconnect.cli import inputs

EXAMPLE = """\b
Example:
  dynconnect stubs api.binpb --output typings
"""


@click.command(short_help="Write .pyi files for editors and type checkers.", epilog=EXAMPLE)
@inputs.schema_argument
@inputs.protoc_option
@click.option("-o", "--output", default="typings", metavar="FOLDER", help="Where they are written (typings).")
def command(schema: tuple[str, ...], *, protoc: str | None, output: str) -> None:
    """Write stubs of the messages, enums and services of SCHEMA.

    Point mypy at the folder by mypy_path; pyright looks into typings by itself.
    """
    from dynconnect.live.build import read_schema
    from dynconnect.plugins.stub_files import write_stubs
    from dynconnect.plugins.stubs import stubs

    for path in write_stubs(stubs(read_schema(schema, protoc)), Path(output)):
        click.echo(path if path.exists() else f"{path} (removed)")
