"""``dynconnect call``: one call of any server, from the shell."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynconnect.cli import target
from dynconnect.schema.finding import Finding, FindingsError

if TYPE_CHECKING:
    from dynconnect.client.call import Call
    from dynconnect.client.client import Client
    from dynconnect.schema.codec import Codec
    from dynconnect.schema.method import Method

EXAMPLE = """\b
Example:
  dynconnect call http://localhost:8080 connectrpc.eliza.v1.ElizaService/Say
"""


@click.command(short_help="Call a method of a server.", epilog=EXAMPLE)
@click.argument("url", metavar="URL")
@click.argument("method", metavar="SERVICE/METHOD")
@click.option("-d", "--data", multiple=True, metavar="JSON", help="Requests; @FILE and @- (stdin) too.")
@target.options
@click.option("--json", "as_json", is_flag=True, help="Talk JSON to the server too.")
@click.option("--compress", metavar="NAME", help="Pack requests, with gzip for example.")
@click.option("--get", is_flag=True, help="Ask by GET where nothing is changed.")
@click.option("-v", "--verbose", is_flag=True, help="Show headers, trailers and times.")
def command(
    url: str,
    method: str,
    *,
    data: tuple[str, ...],
    as_json: bool,
    compress: str | None,
    get: bool,
    verbose: bool,
    **options: Any,  # Any: those of `target`
) -> None:
    """Call SERVICE/METHOD at URL; the responses come as JSON.

    Exits with 0, with 64 and the number of the code if the call fails (69 is not_found), or with 2.
    """
    try:
        client = target.client(
            url, codec="json" if as_json else "proto", compress=compress, get=get, **options
        )
    except ValueError as exc:
        raise FindingsError([Finding("--compress", str(exc))]) from None
    target.run(_call(client, method, data, verbose=verbose))


async def _call(client: Client, name: str, data: tuple[str, ...], *, verbose: bool) -> None:
    from dynconnect.client.client import find_method

    async with client:
        schema = await client.schema()
        method = find_method(schema, name)
        documents = list(_documents(data))
        if not (method.client_streaming or len(documents) < 2):
            what = f"{name} takes one request, and there are {len(documents)}"
            raise FindingsError([Finding("-d", what)])
        codec = schema.codecs["json"]
        requests = [_request(codec, method, each) for each in documents]
        began = time.perf_counter()
        sent = _each(requests) if method.client_streaming else requests[0] if requests else None
        call = await client.stream(name, sent)
        try:
            async with call:
                async for response in call:
                    click.echo(_pretty(json.loads(codec.encode(response))))
        finally:
            if verbose:
                _show(call, time.perf_counter() - began)


def _request(codec: Codec, method: Method, document: Any) -> Any:  # Any: from a value of JSON to a message
    from dynconnect.rpc.errors import ConnectError

    try:
        return codec.decode(json.dumps(document).encode(), method.input)
    except ConnectError as exc:
        raise FindingsError([Finding("-d", exc.message)]) from None


async def _each(requests: list[Any]) -> AsyncIterator[Any]:  # Any: message classes are made at run time
    for request in requests:
        yield request


def _documents(data: tuple[str, ...]) -> Iterator[Any]:  # Any: values of JSON
    """The JSON documents in *data*, of which each may hold several."""
    decoder = json.JSONDecoder()
    for given in data:
        where = given if given.startswith("@") else "-d"
        text = _read(given[1:]) if given.startswith("@") else given
        at = 0
        while at < len(text.rstrip()):
            at += len(text[at:]) - len(text[at:].lstrip())
            try:
                document, at = decoder.raw_decode(text, at)
            except ValueError as exc:
                raise FindingsError([Finding(where, f"no JSON: {exc}")]) from None
            yield document


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text()
    except (OSError, UnicodeDecodeError) as exc:
        raise FindingsError([Finding(f"@{name}", f"it can't be read: {exc}")]) from None


def _pretty(value: Any) -> str:  # Any: a value of JSON
    """*value* for a person, or on one line for a program."""
    return json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)


def _show(call: Call, seconds: float) -> None:
    parts = ((">", call.request_headers), ("<", call.response_headers), ("<<", call.response_trailers))
    for mark, metadata in parts:
        for name, value in metadata.allitems():
            click.echo(f"{mark} {name}: {value}", err=True)
    click.echo(f"{seconds * 1000:.1f} ms", err=True)
