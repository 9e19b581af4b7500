"""``dynconnect pull``: a descriptor set of what a server serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dynconnect.cli import target
from dynconnect.cli.list import schema_of

EXAMPLE = """\b
Example:
  dynconnect pull http://localhost:8080 -o api.binpb
"""


@click.command(short_help="Write the schema of a server as a descriptor set.", epilog=EXAMPLE)
@click.argument("url", metavar="URL")
@click.option("-o", "--output", required=True, metavar="FILE", help="Where it is written.")
@target.options
def command(url: str, *, output: str, **options: Any) -> None:  # Any: those of `target`
    """Ask the server at URL by reflection, and write a descriptor set that can be served."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    from dynconnect.client.reflection import REFLECTION

    schema = schema_of((url,), **options)
    found, wanted = FileDescriptorSet(), {name for name in schema.files if schema.origins[name] == REFLECTION}
    for name, data in reversed([*schema.files.items()]):
        if name in wanted:
            file = found.file.add()
            file.ParseFromString(data)
            wanted.update(file.dependency)
    found.file.reverse()  # each after its imports
    Path(output).write_bytes(found.SerializeToString(deterministic=True))
    click.echo(f"{output}: {len(schema.services)} services in {len(found.file)} files")
