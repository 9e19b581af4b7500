"""What a reload did, in a line; what was refused, whole. It goes to stderr, where the log is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from dynconnect.cli import report
from dynconnect.live.news import Held, Mended, News, NotLoaded, Refused, Stale, Swapped, Unchanged, Undone

CHANGES_MAX = 8
"""How many changes are named in the one line of a reload."""
BREAKING_MAX = 20
"""How much of what it breaks is told below that line."""


def show(news: News) -> None:
    """Print *news* to stderr."""
    match news:
        case Swapped(number, edited, changes, breaking, seconds):
            click.secho(f"↻ gen {number}", fg="green", nl=False, err=True)
            parts = [*edited, _listed(changes), f"{seconds * 1000:.0f} ms"]
            click.echo(f"  {'  '.join(filter(None, parts))}", err=True)
            for line in _first(breaking, BREAKING_MAX):
                click.secho(f"  breaking: {line}", fg="yellow", err=True)
        case Undone(number, before):
            _undone(number, before)
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


def _undone(number: int, before: int | None) -> None:
    if before is None:
        _dim(f"= gen {number}  serves, and there is none before it to go back to")
    else:
        click.secho(f"↶ gen {number}", fg="green", nl=False, err=True)
        click.echo(f"  is gen {before} once more, until the next edit", err=True)


def _listed(changes: tuple[str, ...]) -> str:
    return ", ".join(_first(changes, CHANGES_MAX))


def _first(things: Sequence[object], most: int) -> Iterator[str]:
    """The first of *things*, and how many there are besides."""
    yield from map(str, things[:most])
    if len(things) > most:
        yield f"and {len(things) - most} more"


def _dim(text: str) -> None:
    click.secho(text, dim=True, err=True)
