"""``dynconnect completion``: what a shell needs to complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

EXAMPLE = """\b
Example:
  dynconnect completion bash
"""


@click.command(short_help="Print the completion script of a shell.", epilog=EXAMPLE)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in SHELL.

    bash and zsh take it by eval "$(dynconnect completion bash)" in their start file, fish as a file in
    ~/.config/fish/completions.
    """
    script = get_completion_class(shell)
    assert script is not None  # noqa: S101  click has these three
    program = context.find_root().command
    click.echo(script(program, {}, "dynconnect", "_DYNCONNECT_COMPLETE").source())
