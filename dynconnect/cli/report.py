"""How a refusal looks: every finding as one block of where, what, and what to do.

In click's colours and not in rich's: importing that would take longer than all else here.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from dynconnect.schema.finding import Finding

BAD_INPUT = 2
"""The exit code for what its user can mend; click uses it for a misspelt option."""


def show(findings: Sequence[Finding]) -> None:
    """Print *findings* to stderr."""
    for finding in findings:
        _block(finding)
    if len(findings) > 1:
        click.secho(f"{len(findings)} errors", fg="red", err=True)


def _block(finding: Finding) -> None:
    label = click.style("error:", fg="red", bold=True)
    click.echo(f"{label} {click.style(finding.where, bold=True)}", err=True)
    for line in finding.what.splitlines():
        click.echo(f"    {line}", err=True)
    if finding.hint:
        click.echo(f"    {click.style('hint:', fg='cyan')} {finding.hint}", err=True)
