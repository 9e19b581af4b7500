"""What is served, for people: services, methods, shapes, and what binds them.

It goes to stderr, with the log: whoever redirects the output of `serve` gets results, and there are
none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import TypeAlias

from rich.console import Console
from rich.text import Text

from dynconnect.cli import curl
from dynconnect.live.build import Draft
from dynconnect.live.generation import Generation
from dynconnect.schema.method import Method
from dynconnect.server.engines.endpoint import Endpoint
from dynconnect.server.engines.table import Ability, Engine
from dynconnect.server.services.services import matches

MAX_METHODS = 20
"""With more methods than this the banner has one line for each service,"""
MAX_SERVICES = 20
"""and with more services than this it says how many there are besides."""

Listed: TypeAlias = Draft | Generation
"""What has a schema, and knows what binds its methods."""

_SHAPES = {
    (False, False): "unary",
    (True, False): "client stream",
    (False, True): "server stream",
    (True, True): "bidi stream",
}


def show(
    what: Listed,
    endpoint: Endpoint,
    engine: Engine,
    workers: int = 1,
    reflect: Sequence[str] = ("*",),
    *,
    explorer: bool = False,
) -> None:
    """Print to stderr that *what* is served at *endpoint* on *engine*, and how to try it.

    *reflect* are the patterns of the services that reflection shows; *explorer* says whether there is one.
    """
    console = _console(stderr=True)
    console.print(Text.assemble(("dynconnect", "bold"), f" {version('dynconnect')}"))
    console.print()
    long = len(what.schema.methods) > MAX_METHODS
    for line in _services(what) if long else methods(what):
        console.print(line)
    console.print()
    transports = "HTTP/1.1 and HTTP/2" if endpoint.tls is None else "HTTP/1.1 and HTTP/2 with TLS"
    protocols = "Connect, gRPC and gRPC-Web" if engine.can(Ability.TRAILERS) else "Connect and gRPC-Web"
    console.print(Text.assemble((endpoint.url, "bold cyan"), f"  {protocols} over {transports}"))
    if explorer:
        console.print(Text.assemble((f"{endpoint.url}/", "bold cyan"), "  explore and call it in a browser"))
    lacks = "".join(f", no {ability.value}" for ability in engine.lacks)
    console.print(Text(f"engine {engine.name}{lacks}", "dim"))
    if workers > 1:
        console.print(Text(_count(workers, "worker"), "dim"))
    if "*" not in reflect:
        console.print(_reflection(list(what.schema.services), reflect))
    command = curl.line(what.schema.methods.values(), what.bound_by, endpoint)
    if command is not None:
        console.print()
        console.print(Text(f"  {command}"))
    console.print()


def listing(generation: Generation) -> None:
    """Print to stderr the number of *generation*, and every method."""
    console = _console(stderr=True)
    console.print(Text(f"gen {generation.number}", "bold"))
    for line in methods(generation):
        console.print(line)


def summary(draft: Draft) -> None:
    """Print to stdout what *draft* holds: where its files are from, and every method."""
    console = _console(stderr=False)
    origins = Counter(draft.schema.origins.values())
    for origin, files in origins.items():
        console.print(f"{origin}: {_count(files, 'file')}")
    console.print()
    for line in methods(draft):
        console.print(line)
    console.print()
    count, bound = len(draft.schema.methods), len(draft.bound_by)
    console.print(
        f"{_count(len(draft.schema.services), 'service')}, {_count(count, 'method')}: "
        f"{bound} bound, {count - bound} unimplemented"
    )


def methods(what: Listed) -> Iterator[Text]:
    """A line for each service and each method in it."""
    names = (len(method.name) for method in what.schema.methods.values())
    widths = (max(names, default=0), max(map(len, _SHAPES.values())))
    bound_by, mocked = what.bound_by, what.mocked
    for name, found in what.schema.services.items():
        yield Text(name, "bold")
        for method in found:
            yield _method(method, bound_by.get(method.path), widths, mocked=method.path in mocked)


def _method(method: Method, bound_by: str | None, widths: tuple[int, int], *, mocked: bool) -> Text:
    shape = _SHAPES[method.client_streaming, method.server_streaming]
    left = f"  {method.name:{widths[0]}}  {shape:{widths[1]}}  "
    if bound_by is None:
        return Text(f"{left}{'mock' if mocked else 'unimplemented'}", "dim")
    return Text.assemble(left, (bound_by, "green"))


def _reflection(services: Sequence[str], patterns: Sequence[str]) -> Text:
    """What reflection shows of *services*, and which of *patterns* are of no use."""
    if not patterns:
        return Text("no reflection", "dim")
    shown = sum(matches(service, patterns) for service in services)
    vain = [one for one in patterns if not any(matches(service, [one]) for service in services)]
    text = f"reflection shows {shown} of {_count(len(services), 'service')}"
    if vain:
        return Text(f"{text}; no service is called {' or '.join(vain)}", "yellow")
    return Text(text, "dim")


def _services(what: Listed) -> Iterator[Text]:
    """A line for each service, but not too many of them: the URL must stay in sight."""
    services = list(what.schema.services.items())
    bound_by = what.bound_by
    width = max(len(name) for name, _ in services[:MAX_SERVICES])
    for name, found in services[:MAX_SERVICES]:
        bound = sum(method.path in bound_by for method in found)
        yield Text(f"{name:{width}}  {_count(len(found), 'method')}, {bound} bound", "" if bound else "dim")
    if rest := len(services) - MAX_SERVICES:
        yield Text(f"and {_count(rest, 'service')} more")
    yield Text("`dynconnect check` lists every method", "dim")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _console(*, stderr: bool) -> Console:
    # Never cut or wrapped: lines are to be copied, and read by programs too.
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)
