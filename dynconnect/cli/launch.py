"""From the words of the command line to a server that runs: what `serve` and `dev` have in common.

Everything that can be wrong is looked at before anything is served, and said together.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynconnect.cli import logs, news
from dynconnect.live.news import News, Swapped
from dynconnect.schema.finding import Finding, FindingsError
from dynconnect.schema.json.options import parse_options
from dynconnect.server.engines import table
from dynconnect.server.engines.settings import Settings

if TYPE_CHECKING:
    from dynconnect.live.build import Draft
    from dynconnect.live.reload import Reloader
    from dynconnect.schema.schema import Schema
    from dynconnect.server.asgi import Server
    from dynconnect.server.asgi_call import App
    from dynconnect.server.engines.endpoint import Endpoint
    from dynconnect.server.engines.run import Served
    from dynconnect.server.engines.table import Engine
    from dynconnect.server.service import Service

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mode:
    """How a server is run.

    Attributes:
        watch: reload on edits.
        drain: seconds that calls of a replaced generation may go on; None lets them.
        dev: for those who write what is served: each answer names its generation, and the terminal takes
            keys.
        workers: how many processes serve; 1 is this one.
        refuse_breaking: keep the old generation if an edit breaks its callers.
        stubs: the folder in which type stubs are kept at what is served; None keeps none.
        mock: make up the answers of methods without a handler.
    """

    watch: bool
    drain: float | None = None
    dev: bool = False
    workers: int = 1
    refuse_breaking: bool = False
    stubs: Path | None = None
    mock: bool = False


def launch(
    schema: tuple[str, ...],
    plugins: tuple[str, ...],
    mode: Mode,
    *,
    config: str | None,
    cors: tuple[str, ...],
    reflect: tuple[str, ...],
    no_reflection: bool,
    explorer: bool,
    json: tuple[str, ...],
    read_max_bytes: int,
    engine: str,
    log_level: str,
    protoc: str | None,
    traceback: bool,
    **listen: Any,  # Any: options of different types, those of Settings
) -> None:
    """Serve *schema* with *plugins* until a signal ends it.

    Raises:
        FindingsError: with all that keeps it from starting.
    """
    _check_together(engine, mode, listen)
    logs.configure(log_level, traceback=traceback)
    from dynconnect.live.inputs import Inputs
    from dynconnect.rpc.limits import Limits
    from dynconnect.server.service import Service

    settings = Settings(**listen)
    service = Service(
        Inputs(schema, plugins, config, protoc),
        cors,
        Limits(read_max_bytes=read_max_bytes),
        drain=mode.drain,
        reflect=_patterns(reflect, no_reflection=no_reflection),
        dev=mode.dev,
        json=parse_options(json),
        mock=mode.mock,
        explorer=explorer,
    )
    begin = partial(logs.configure_worker, level=log_level, traceback=traceback)
    _run(service, settings, table.ENGINES[engine], mode, begin)


def _run(
    service: Service, settings: Settings, engine: Engine, mode: Mode, begin: Callable[[int], None]
) -> None:
    """Serve in this process, in one of the engine's, or in workers, each of which calls *begin* first."""
    if engine.outside:
        _serve_outside(service, settings, engine)
    elif mode.workers == 1:
        _serve(service, settings, engine, mode)
    else:
        _supervise(service, settings, engine, mode, begin)


def _patterns(reflect: tuple[str, ...], *, no_reflection: bool) -> tuple[str, ...]:
    """The patterns of the services that reflection shows."""
    if no_reflection and reflect:
        raise click.UsageError("--reflect says what reflection shows: it is of no use with --no-reflection")
    return () if no_reflection else reflect or ("*",)


def _check_together(engine: str, mode: Mode, listen: dict[str, Any]) -> None:  # Any: as in `launch`
    """Refuse options that exclude each other."""
    if listen["tls_cert"] is None and (listen["tls_key"] or listen["tls_client_ca"]):
        raise click.UsageError("--tls-key and --tls-client-ca are of no use without --tls-cert")
    if engine != "hypercorn" and listen["http2"] == "hypercorn":
        raise click.UsageError(f"--http2 hypercorn is of no use with --engine {engine}")
    if mode.workers > 1 and mode.watch:
        raise click.UsageError("--reload watches for one process alone: with --workers, send SIGHUP")
    if mode.workers > 1 and not table.ENGINES[engine].can(table.Ability.WORKERS):
        raise click.UsageError(f"--workers is of no use with --engine {engine}")
    if mode.watch and not table.ENGINES[engine].can(table.Ability.RELOAD):
        raise click.UsageError(f"--engine {engine} can't reload: serve without --reload, or on another")
    if mode.workers > 1 and os.name != "posix":
        raise click.UsageError("--workers needs a POSIX system, such as Linux: one process serves here")


def _serve(service: Service, settings: Settings, engine: Engine, mode: Mode) -> None:
    """Serve in this process."""
    from dynconnect.cli import banner, keys
    from dynconnect.live.inputs import Watched
    from dynconnect.server.engines.run import run

    serve = engine.load()
    _set_aside_what_stays()
    watched = Watched(service.inputs)
    seen = watched.contents()
    endpoint, draft = _load(settings, service)

    def reloading(server: Server) -> Reloader:
        from dynconnect.live.reload import Reloader

        return Reloader(
            server.generations,
            watched,
            build=service.build,
            refuse_breaking=mode.refuse_breaking,
            undoes=mode.dev,
            tell=partial(_tell, server, mode.stubs),
            seen=seen,
        )

    def announce() -> None:
        banner.show(draft, endpoint, engine, reflect=service.reflect, explorer=service.explored)
        if mode.dev:
            keys.offer()

    with endpoint:
        program = _program(service, draft, reloading, mode, settings.grace)
        run(serve, program, endpoint, on_ready=announce)


def _serve_outside(service: Service, settings: Settings, engine: Engine) -> None:
    """Serve in a process of the engine's, once all has been found right here."""
    from dynconnect.cli import banner
    from dynconnect.server.engines.run import run

    serve = engine.load()
    endpoint, draft = _load(settings, service)
    draft.close()
    with endpoint:
        announce = partial(
            banner.show, draft, endpoint, engine, reflect=service.reflect, explorer=service.explored
        )
        run(serve, _outside(service), endpoint, on_ready=announce)


@asynccontextmanager
async def _outside(service: Service) -> AsyncIterator[Served[Service]]:
    from dynconnect.server.engines.run import Served

    # Without this a hangup would end our process, and leave the other one behind.
    with _on_hangup(lambda: log.warning("this engine can't reload: restart to load what has changed")):
        # The engine itself waits for calls: there is no way to the server in its process.
        yield Served(service, stop=lambda: None)


def _supervise(
    service: Service, settings: Settings, engine: Engine, mode: Mode, begin: Callable[[int], None]
) -> None:
    """Serve in as many workers as *mode* says."""
    from dynconnect.cli import banner
    from dynconnect.server.engines.endpoint import open_endpoint
    from dynconnect.server.workers.supervisor import supervise
    from dynconnect.server.workers.worker import Assignment

    engine.load()  # whether it is installed is said once
    with open_endpoint(settings) as endpoint:
        announce = partial(
            banner.show,
            engine=engine,
            workers=mode.workers,
            reflect=service.reflect,
            explorer=service.explored,
        )
        assignment = Assignment(
            service, engine.name, settings, endpoint.port, endpoint.sockets, begin, announce
        )
        supervise(
            mode.workers,
            assignment,
            endpoint,
            refuse_breaking=mode.refuse_breaking,
            tell=news.show,
        )


def _set_aside_what_stays() -> None:
    """Keep what is imported by now out of garbage collections.

    One follows each reload, in the event loop, and would look through all modules for 30 ms. Generations
    must come later than this, or the first one would never be let go.
    """
    import dynconnect.live.reload
    import dynconnect.server.asgi  # noqa: F401  both for their imports

    gc.freeze()


def _load(settings: Settings, service: Service) -> tuple[Endpoint, Draft]:
    """Open the endpoint and draft the generation; the one is tried even if the other fails.

    The endpoint is first: while plugins load, clients wait for an answer instead of being refused.

    Raises:
        FindingsError: with the findings of both.
    """
    from dynconnect.server.engines.endpoint import open_endpoint

    findings: list[Finding] = []
    with ExitStack() as opened:
        try:
            endpoint = opened.enter_context(open_endpoint(settings))
        except FindingsError as exc:
            findings += exc.findings
        try:
            draft = service.prepare()
        except FindingsError as exc:
            findings += exc.findings
        if findings:
            raise FindingsError(findings)
        opened.pop_all()  # it stays open: the caller closes it
    return endpoint, draft


@asynccontextmanager
async def _program(
    service: Service, draft: Draft, reloading: Callable[[Server], Reloader], mode: Mode, grace: float
) -> AsyncIterator[Served[App]]:
    """Open *draft*, and close what came of it behind the last call.

    Raises:
        FindingsError: it can't be opened.
    """
    from dynconnect.cli import banner, keys
    from dynconnect.server.engines.run import Served

    server = service.server(await draft.open())
    reloader = reloading(server)
    if mode.stubs is not None:
        await asyncio.to_thread(_write_stubs, server.generations.current.schema, mode.stubs)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.generations.aclose)
        await stack.enter_async_context(reloader.running(watch=mode.watch))
        stack.enter_context(_on_hangup(reloader.request))
        if mode.dev:
            actions = {
                "r": reloader.request,
                "l": lambda: banner.listing(server.generations.current),
                "u": reloader.undo,
                "q": keys.quit_server,
            }
            stack.enter_context(keys.listening(actions))
        yield Served(service.app(server), stop=lambda: server.stop(grace))


def _tell(server: Server, stubs: Path | None, told: News) -> None:
    """Show what is *told*, and keep *stubs* at what is served."""
    if server.feed is not None:
        server.feed.tell(told)
    news.show(told)
    if isinstance(told, Swapped) and stubs is not None:
        schema = server.generations.current.schema
        asyncio.get_running_loop().run_in_executor(None, _write_stubs, schema, stubs)


def _write_stubs(schema: Schema, folder: Path) -> None:
    """Write stubs, or say why not: that is no reason not to serve."""
    from dynconnect.plugins.stub_files import write_stubs
    from dynconnect.plugins.stubs import stubs

    try:
        write_stubs(stubs(schema), folder)
    except (FindingsError, OSError) as exc:
        log.error("no stubs are written: %s", exc)


@contextmanager
def _on_hangup(callback: Callable[[], None]) -> Iterator[None]:
    """Call *callback* at each SIGHUP, in the event loop, where there is such a signal."""
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, callback)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
