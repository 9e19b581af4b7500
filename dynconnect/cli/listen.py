"""The options of a server: where it listens, on what, and what it grants its callers."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from dynconnect.cli import logs
from dynconnect.schema.json.options import NAMES
from dynconnect.server.engines import table

F = TypeVar("F", bound=Callable[..., object])


def _port(text: str) -> int:
    """The number of a port; not click's IntRange, whose help and whose refusal speak of integers."""
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise click.BadParameter(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def _check_origins(_ctx: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """The origins as they are, once each of them is one."""
    from dynconnect.server.cors import parse_origin

    try:
        for origin in value:
            parse_origin(origin)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from None
    return value


# Whether a file exists is not click's to say: `tls` does, for all of them at once.
FILE: dict[str, Any] = {"type": click.Path(path_type=Path), "metavar": "FILE"}  # Any: click's own
SECONDS: dict[str, Any] = {"type": click.FloatRange(0), "metavar": "SECONDS", "default": 30.0}
_PORT: dict[str, Any] = {
    "type": _port,
    "metavar": "PORT",
    "envvar": "PORT",
    "show_envvar": True,
    "default": "8080",
}
_BYTES: dict[str, Any] = {"type": click.IntRange(1), "metavar": "BYTES", "default": 4 * 1024 * 1024}


_OPTIONS = (
    click.option(
        "--host",
        default="127.0.0.1",
        metavar="HOST",
        help="Listen here (127.0.0.1); 0.0.0.0 is every network.",
    ),
    click.option("--port", **_PORT, help="Port (8080); 0 takes a free one."),
    click.option("--tls-cert", **FILE, help="Serve with TLS: the certificate chain, in PEM."),
    click.option("--tls-key", **FILE, help="Its private key, if that is in another file."),
    click.option("--tls-client-ca", **FILE, help="Accept only clients with certificates of these."),
    click.option(
        "--cors",
        multiple=True,
        callback=_check_origins,
        metavar="ORIGIN",
        help="Let pages of ORIGIN call, or all (*); repeatable.",
    ),
    click.option(
        "--reflect",
        multiple=True,
        metavar="PATTERN",
        help="Show these services by reflection (*); repeatable.",
    ),
    click.option("--no-reflection", is_flag=True, help="Show none of them."),
    click.option("--explorer", is_flag=True, help="Let every browser look and call, at /."),
    click.option(
        "--json",
        multiple=True,
        type=click.Choice(NAMES),
        metavar="OPTION",
        help="defaults, proto-names, enum-numbers or strict.",
    ),
    click.option("--read-max-bytes", **_BYTES, help="The largest message accepted (4 MiB)."),
    click.option(
        "--grace",
        **SECONDS,
        help="Time for running calls after SIGTERM (30).",
    ),
    click.option(
        "--engine",
        type=click.Choice(list(table.ENGINES)),
        default=table.DEFAULT,
        metavar="SERVER",
        help="The server underneath: hypercorn, uvicorn, pyvoy.",
    ),
    click.option(
        "--http2",
        type=click.Choice(["own", "hypercorn"]),
        default="own",
        metavar="LAYER",
        help="own, or hypercorn for the server's stock HTTP/2.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(logs.LEVELS),
        default="info",
        metavar="LEVEL",
        help="debug (a line for each call), info, warning, error.",
    ),
)


def options(command: F) -> F:
    """Give *command* the options of a server, in the order of the table above."""
    return reduce(lambda inner, option: option(inner), reversed(_OPTIONS), command)
