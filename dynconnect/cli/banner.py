"""What is served, for people: services, methods, shapes, and what binds them.

It goes to stderr, with the log: whoever redirects the output of `serve` gets results, and there are
none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.metadata import version

from rich.console import Console
from rich.text import Text

from dynconnect.cli import curl
from dynconnect.live.build import Draft
from dynconnect.live.generation import Generation
from dynconnect.schema.method import Method
from dynconnect.schema.schema import Schema
from dynconnect.server.engines.endpoint import Endpoint
from dynconnect.server.engines.table import Ability, Engine

MAX_METHODS = 20
"""With more methods than this the banner has one line for each service,"""
MAX_SERVICES = 20
"""and with more services than this it says how many there are besides."""

_SHAPES = {
    (False, False): "unary",
    (True, False): "client stream",
    (False, True): "server stream",
    (True, True): "bidi stream",
}


def show(generation: Generation, endpoint: Endpoint, engine: Engine, workers: int = 1) -> None:
    """Print to stderr what *generation* serves at *endpoint* on *engine*, and how to try it."""
    console = _console(stderr=True)
    console.print(Text.assemble(("dynconnect", "bold"), f" {version('dynconnect')}"))
    console.print()
    long = len(generation.routes) > MAX_METHODS
    for line in _services(generation) if long else _methods_of(generation):
        console.print(line)
    console.print()
    transports = "HTTP/1.1 and HTTP/2" if endpoint.tls is None else "HTTP/1.1 and HTTP/2 with TLS"
    protocols = "Connect, gRPC and gRPC-Web" if engine.can(Ability.TRAILERS) else "Connect and gRPC-Web"
    console.print(Text.assemble((endpoint.url, "bold cyan"), f"  {protocols} over {transports}"))
    lacks = "".join(f", no {ability.value}" for ability in engine.lacks)
    console.print(Text(f"engine {engine.name}{lacks}", "dim"))
    if workers > 1:
        console.print(Text(_count(workers, "worker"), "dim"))
    command = curl.line(generation.routes.values(), endpoint)
    if command is not None:
        console.print()
        console.print(Text(f"  {command}"))
    console.print()


def listing(generation: Generation) -> None:
    """Print to stderr the number of *generation*, and every method."""
    console = _console(stderr=True)
    console.print(Text(f"gen {generation.number}", "bold"))
    for line in _methods_of(generation):
        console.print(line)


def summary(draft: Draft) -> None:
    """Print to stdout what *draft* holds: where its files are from, and every method."""
    console = _console(stderr=False)
    schema, bound_by = draft.schema, draft.bound_by
    origins = Counter(schema.origins.values())
    for origin, files in origins.items():
        console.print(f"{origin}: {_count(files, 'file')}")
    console.print()
    for line in methods(schema, bound_by):
        console.print(line)
    console.print()
    count = len(schema.methods)
    console.print(
        f"{_count(len(schema.services), 'service')}, {_count(count, 'method')}: "
        f"{len(bound_by)} bound, {count - len(bound_by)} unimplemented"
    )


def methods(schema: Schema, bound_by: Mapping[str, str | None]) -> Iterator[Text]:
    """A line for each service and each method in it; what binds a method is known by its path."""
    names = (len(method.name) for method in schema.methods.values())
    widths = (max(names, default=0), max(map(len, _SHAPES.values())))
    for name, found in schema.services.items():
        yield Text(name, "bold")
        for method in found:
            yield _method(method, bound_by.get(method.path), widths)


def _methods_of(generation: Generation) -> Iterator[Text]:
    return methods(generation.schema, {path: route.bound_by for path, route in generation.routes.items()})


def _method(method: Method, bound_by: str | None, widths: tuple[int, int]) -> Text:
    shape = _SHAPES[method.client_streaming, method.server_streaming]
    left = f"  {method.name:{widths[0]}}  {shape:{widths[1]}}  "
    if bound_by is None:
        return Text(f"{left}unimplemented", "dim")
    return Text.assemble(left, (bound_by, "green"))


def _services(generation: Generation) -> Iterator[Text]:
    """A line for each service, but not too many of them: the URL must stay in sight."""
    services = list(generation.schema.services.items())
    width = max(len(name) for name, _ in services[:MAX_SERVICES])
    for name, found in services[:MAX_SERVICES]:
        bound = sum(generation.routes[method.path].bound_by is not None for method in found)
        yield Text(f"{name:{width}}  {_count(len(found), 'method')}, {bound} bound", "" if bound else "dim")
    if rest := len(services) - MAX_SERVICES:
        yield Text(f"and {_count(rest, 'service')} more")
    yield Text("`dynconnect check` lists every method", "dim")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _console(*, stderr: bool) -> Console:
    # Never cut or wrapped: lines are to be copied, and read by programs too.
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)
