"""What a reload did, in a line; what was refused, whole. It goes to stderr, where the log is."""

from __future__ import annotations

import click

from dynconnect.cli import report
from dynconnect.live.news import Held, Mended, News, NotLoaded, Refused, Stale, Swapped, Unchanged

CHANGES_MAX = 8
"""How many changes are named in the one line of a reload."""


def show(news: News) -> None:
    """Print *news* to stderr."""
    match news:
        case Swapped(number, edited, changes, seconds):
            click.secho(f"↻ gen {number}", fg="green", nl=False, err=True)
            parts = [*edited, _listed(changes), f"{seconds * 1000:.0f} ms"]
            click.echo(f"  {'  '.join(filter(None, parts))}", err=True)
        case Refused(serving, findings):
            report.show(findings)
            click.secho(f"✗ still serving gen {serving}", fg="red", err=True)
        case Unchanged(serving, saved):
            _dim(f"= gen {serving}  {', '.join(saved)}: saved, and nothing in it has changed")
        case Mended(serving):
            click.secho(f"↻ gen {serving}", fg="green", nl=False, err=True)
            click.echo("  serves what the files hold again", err=True)
        case NotLoaded(serving, saved):
            _dim(f"= gen {serving}  {', '.join(saved)}: no module; if a plugin reads it, reload by hand")
        case Held(serving, draining):
            calls = ", ".join(map(str, draining))
            _dim(f"… gen {serving}  serves until calls of an older generation end: {calls} have some")
        case Stale(serving, finding):
            click.secho(f"! a call was answered by gen {serving}: ", fg="yellow", nl=False, err=True)
            click.echo(f"{finding.where}: {finding.what.partition(chr(10))[0]}", err=True)


def _listed(changes: tuple[str, ...]) -> str:
    more = len(changes) - CHANGES_MAX
    named = ", ".join(changes[:CHANGES_MAX])
    return f"{named} and {more} more" if more > 0 else named


def _dim(text: str) -> None:
    click.secho(text, dim=True, err=True)
