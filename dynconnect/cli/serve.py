"""``dynconnect serve``: from files to a server.

Everything that can be wrong is looked at before anything is served, and said together.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynconnect.cli import inputs, logs, report
from dynconnect.schema.finding import Finding, FindingsError
from dynconnect.server.engines import table

if TYPE_CHECKING:
    from dynconnect.live.generation import Generation
    from dynconnect.server.asgi_call import App
    from dynconnect.server.engines.endpoint import Endpoint
    from dynconnect.server.engines.settings import Settings
    from dynconnect.server.engines.table import Engine
    from dynconnect.server.service import Service

EXAMPLE = """\b
Example:
  dynconnect serve api.binpb --plugins plugins/
"""


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
_FILE: dict[str, Any] = {"type": click.Path(path_type=Path), "metavar": "FILE"}  # Any: click's own
_PORT: dict[str, Any] = {
    "type": _port,
    "metavar": "PORT",
    "envvar": "PORT",
    "show_envvar": True,
    "default": "8080",
}
_BYTES: dict[str, Any] = {"type": click.IntRange(1), "metavar": "BYTES", "default": 4 * 1024 * 1024}


@click.command(short_help="Serve schemas with plugins as their handlers.", epilog=EXAMPLE)
@inputs.schema_argument
@inputs.plugins_option
@click.option(
    "--host", default="127.0.0.1", metavar="HOST", help="Listen here (127.0.0.1); 0.0.0.0 is every network."
)
@click.option("--port", **_PORT, help="Port (8080); 0 takes a free one.")
@click.option("--tls-cert", **_FILE, help="Serve with TLS: the certificate chain, in PEM.")
@click.option("--tls-key", **_FILE, help="Its private key, if that is in another file.")
@click.option("--tls-client-ca", **_FILE, help="Accept only clients with certificates of these.")
@click.option(
    "--cors",
    multiple=True,
    callback=_check_origins,
    metavar="ORIGIN",
    help="Let pages of ORIGIN call, or all (*); repeatable.",
)
@click.option("--read-max-bytes", **_BYTES, help="The largest message accepted (4 MiB).")
@click.option(
    "--drain",
    type=click.FloatRange(0),
    default=5.0,
    metavar="SECONDS",
    help="Time for running calls after SIGTERM (5).",
)
@click.option(
    "--engine",
    type=click.Choice(list(table.ENGINES)),
    default=table.DEFAULT,
    metavar="SERVER",
    help="The HTTP server underneath: hypercorn, or uvicorn.",
)
@click.option(
    "--http2",
    type=click.Choice(["own", "hypercorn"]),
    default="own",
    metavar="LAYER",
    help="own, or hypercorn for the server's stock HTTP/2.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    metavar="COUNT",
    help="Processes that serve; SIGHUP reloads them.",
)
@click.option(
    "--log-level",
    type=click.Choice(logs.LEVELS),
    default="info",
    metavar="LEVEL",
    help="debug (a line for each call), info, warning, error.",
)
@inputs.traceback_option
def command(
    schema: tuple[str, ...],
    plugins: tuple[str, ...],
    cors: tuple[str, ...],
    read_max_bytes: int,
    engine: str,
    workers: int,
    log_level: str,
    *,
    traceback: bool,
    **listen: Any,  # Any: options of different types, those of Settings
) -> None:
    """Serve SCHEMA over Connect, gRPC and gRPC-Web.

    SCHEMA is a descriptor set or buf image, or a glob or folder of them.
    """
    if listen["tls_cert"] is None and (listen["tls_key"] or listen["tls_client_ca"]):
        raise click.UsageError("--tls-key and --tls-client-ca are of no use without --tls-cert")
    if engine != "hypercorn" and listen["http2"] == "hypercorn":
        raise click.UsageError(f"--http2 hypercorn is of no use with --engine {engine}")
    if workers > 1 and os.name != "posix":
        raise click.UsageError("--workers needs a POSIX system, such as Linux: one process serves here")
    logs.configure(log_level, traceback=traceback)
    from dynconnect.rpc.limits import Limits
    from dynconnect.server.engines.settings import Settings
    from dynconnect.server.service import Service

    chosen = table.ENGINES[engine]
    service = Service(schema, plugins, cors, Limits(read_max_bytes=read_max_bytes))
    if workers == 1:
        _serve(service, Settings(**listen), chosen)
    else:
        begin = partial(logs.configure_worker, level=log_level, traceback=traceback)
        _supervise(service, Settings(**listen), chosen, workers, begin)


def _serve(service: Service, settings: Settings, engine: Engine) -> None:
    """Serve in this process."""
    from dynconnect.cli import banner
    from dynconnect.server.engines.run import run

    serve = engine.load()
    endpoint, generation = _load(settings, service)
    with endpoint:
        program = _program(service, generation)
        run(serve, program, endpoint, on_ready=lambda: banner.show(generation, endpoint, engine))


def _supervise(
    service: Service, settings: Settings, engine: Engine, workers: int, begin: Callable[[int], None]
) -> None:
    """Serve in as many *workers*."""
    from dynconnect.cli import banner
    from dynconnect.server.engines.endpoint import open_endpoint
    from dynconnect.server.workers.supervisor import supervise
    from dynconnect.server.workers.worker import Assignment

    engine.load()  # whether it is installed is said once
    with open_endpoint(settings) as endpoint:
        announce = partial(banner.show, engine=engine, workers=workers)
        assignment = Assignment(
            service, engine.name, settings, endpoint.port, endpoint.sockets, begin, announce
        )
        supervise(workers, assignment, endpoint, on_refused=report.show)


def _load(settings: Settings, service: Service) -> tuple[Endpoint, Generation]:
    """Open the endpoint and build the generation; the one is tried even if the other fails.

    The endpoint is first: while plugins load, clients wait for an answer instead of being refused.

    Raises:
        FindingsError: with the findings of both.
    """
    from dynconnect.live.build import build
    from dynconnect.server.engines.endpoint import open_endpoint

    findings: list[Finding] = []
    with ExitStack() as opened:
        try:
            endpoint = opened.enter_context(open_endpoint(settings))
        except FindingsError as exc:
            findings += exc.findings
        try:
            generation = build(service.schema, service.plugins)
        except FindingsError as exc:
            findings += exc.findings
        if findings:
            raise FindingsError(findings)
        opened.pop_all()  # it stays open: the caller closes it
    return endpoint, generation


@asynccontextmanager
async def _program(service: Service, generation: Generation) -> AsyncIterator[App]:
    yield service.app(service.server(generation))
