"""What commands that ask a server have in common: where it is, and how it is called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dynconnect.schema.finding import Finding, FindingsError

if TYPE_CHECKING:
    from dynconnect.client.client import Client

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

FAILED = 64
"""The exit code of a call that failed is this and the number of its code: 69 is `not_found`."""

_NO_RPC = ("HTTP status", "protocol error: invalid content-type")
"""What errors begin with that no RPC server would have sent."""

_FILE: dict[str, Any] = {"type": click.Path(exists=True, dir_okay=False, path_type=Path), "metavar": "FILE"}
_OPTIONS = (
    click.option(
        "--schema", multiple=True, metavar="PATH", help="Sets or .proto files; else the server is asked."
    ),
    click.option(
        "--protocol",
        type=click.Choice(["connect", "grpc", "grpcweb"]),
        default="connect",
        metavar="NAME",
        help="connect, grpc or grpcweb.",
    ),
    click.option(
        "-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="Send this; repeatable."
    ),
    click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="How long it may take."),
    click.option(
        "--http",
        type=click.Choice(["1.1", "2", "3"]),
        metavar="VERSION",
        help="1.1, 2 or 3; TLS agrees on it.",
    ),
    click.option("--ca", **_FILE, help="Trust only what these have signed."),
    click.option("--cert", **_FILE, help="A certificate to show."),
    click.option("--key", **_FILE, help="Its private key, if that is in another file."),
)


def options(command: F) -> F:
    """Give *command* the options of a call, in the order above."""
    return reduce(lambda inner, option: option(inner), reversed(_OPTIONS), command)


def is_url(target: str) -> bool:
    """Whether *target* is a server, and no file."""
    return target.startswith(("http://", "https://"))


def client(
    url: str,
    *,
    schema: tuple[str, ...],
    headers: tuple[str, ...],
    **more: Any,  # Any: the other options, as `Client` takes them
) -> Client:
    """The client of the options above.

    Raises:
        FindingsError: one of them is wrong.
    """
    if not is_url(url):
        raise FindingsError([Finding(url, "this is no URL", "write http://host:port or https://host:port")])
    metadata = [_pair(header) for header in headers]
    from dynconnect.client.client import Client

    try:
        return Client(url, schema=schema or None, metadata=metadata, **more)
    except ImportError as exc:
        hint = "pip install 'dynconnect[client]'"
        raise FindingsError([Finding("dynconnect", f"{exc.name} is not installed", hint)]) from None


def run(work: Awaitable[T]) -> T:
    """Await *work*.

    Raises:
        FindingsError: it raised a LookupError, which has the nearest name.
        SystemExit: the call failed; that has been said.
    """
    from dynconnect.rpc.errors import ConnectError

    async def awaited() -> T:
        return await work

    try:
        return asyncio.run(awaited())
    except LookupError as exc:
        raise FindingsError([Finding("METHOD", str(exc.args[0]))]) from None
    except ConnectError as exc:
        show(exc)
        raise SystemExit(FAILED + exc.code.number) from None


def show(error: Any) -> None:  # Any: a ConnectError, whose module is imported when one comes
    """Print *error*, with its details, to stderr."""
    import json

    code = click.style(f"{error.code.value}:", fg="red", bold=True)
    click.echo(f"{code} {error.message}" if error.message else code, err=True)
    for detail in error.details:
        debug = getattr(detail, "debug", None)
        text = f"{len(detail.value)} bytes" if debug is None else json.dumps(debug, ensure_ascii=False)
        click.echo(f"    {click.style(detail.type, bold=True)} {text}", err=True)

    if error.message.startswith(_NO_RPC):
        hint = "what answers there may be no RPC server, or have its methods below another path"
        click.echo(f"    {click.style('hint:', fg='cyan')} {hint}", err=True)


def _pair(header: str) -> tuple[str, str]:
    name, colon, value = header.partition(":")
    if not (colon and name.strip()):
        raise FindingsError([Finding(f"-H {header}", "this is no header", "write NAME:VALUE")])
    return name.strip(), value.strip()
