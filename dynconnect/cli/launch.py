"""From the words of the command line to a server that runs: what `serve` and `dev` have in common.

Everything that can be wrong is looked at before anything is served, and said together.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynconnect.cli import logs
from dynconnect.schema.finding import Finding, FindingsError
from dynconnect.server.engines import table

if TYPE_CHECKING:
    from dynconnect.live.generation import Generation
    from dynconnect.live.inputs import Inputs, Watched
    from dynconnect.server.asgi_call import App
    from dynconnect.server.engines.endpoint import Endpoint
    from dynconnect.server.engines.settings import Settings


@dataclass(frozen=True, slots=True)
class Mode:
    """How a server is run.

    Attributes:
        watch: reload on edits.
        dev: show in each answer which generation it is from, and take keys from the terminal.
    """

    watch: bool
    dev: bool = False


def launch(
    schema: tuple[str, ...],
    plugins: tuple[str, ...],
    mode: Mode,
    *,
    cors: tuple[str, ...],
    read_max_bytes: int,
    engine: str,
    log_level: str,
    traceback: bool,
    **listen: Any,  # Any: options of different types, those of Settings
) -> None:
    """Serve *schema* with *plugins* until a signal ends it.

    Raises:
        FindingsError: with all that keeps it from starting.
    """
    if listen["tls_cert"] is None and (listen["tls_key"] or listen["tls_client_ca"]):
        raise click.UsageError("--tls-key and --tls-client-ca are of no use without --tls-cert")
    if engine != "hypercorn" and listen["http2"] == "hypercorn":
        raise click.UsageError(f"--http2 hypercorn is of no use with --engine {engine}")
    logs.configure(log_level, traceback=traceback)
    from dynconnect.cli import banner
    from dynconnect.live.inputs import Inputs, Watched
    from dynconnect.server.engines.run import run
    from dynconnect.server.engines.settings import Settings

    chosen = table.ENGINES[engine]
    serve = chosen.load()
    _set_aside_what_stays()
    watched = Watched(Inputs(schema, plugins))
    seen = watched.contents()
    endpoint, generation = _load(Settings(**listen), watched.inputs)
    with endpoint:
        drain = None if mode.dev else endpoint.settings.drain
        program = _program(generation, watched, seen, mode, drain, cors, read_max_bytes)
        run(serve, program, endpoint, on_ready=lambda: banner.show(generation, endpoint, chosen))


def _set_aside_what_stays() -> None:
    """Keep what is imported by now out of garbage collections.

    One follows each reload, in the event loop, and would look through all modules for 30 ms. Generations
    must come later than this, or the first one would never be let go.
    """
    import dynconnect.live.reload
    import dynconnect.server.asgi  # noqa: F401  both for their imports

    gc.freeze()


def _load(settings: Settings, inputs: Inputs) -> tuple[Endpoint, Generation]:
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
            generation = build(inputs.schema, inputs.plugins)
        except FindingsError as exc:
            findings += exc.findings
        if findings:
            raise FindingsError(findings)
        opened.pop_all()  # it stays open: the caller closes it
    return endpoint, generation


@asynccontextmanager
async def _program(
    generation: Generation,
    watched: Watched,
    seen: Mapping[Path, bytes],
    mode: Mode,
    drain: float | None,
    cors: tuple[str, ...],
    read_max_bytes: int,
) -> AsyncIterator[App]:
    from dynconnect.cli import banner, keys, news
    from dynconnect.live.build import build_in_thread
    from dynconnect.live.reload import Reloader
    from dynconnect.rpc.limits import Limits
    from dynconnect.server.asgi import Server
    from dynconnect.server.cors import Cors

    def build(number: int, _old: Generation) -> Awaitable[Generation]:
        return build_in_thread(watched.inputs.schema, watched.inputs.plugins, number)

    limits = Limits(read_max_bytes=read_max_bytes)
    server = Server(generation, limits=limits, drain=drain, show_generation=mode.dev)
    reloader = Reloader(
        server.generations, watched, build=build, describe=lambda *_: (), tell=news.show, seen=seen
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(reloader.running(watch=mode.watch))
        if hasattr(signal, "SIGHUP"):
            stack.enter_context(_on_hangup(reloader.request))
        if mode.dev:
            actions = {
                "r": ("reload", reloader.request),
                "l": ("list", lambda: banner.listing(server.generations.current)),
                "q": ("quit", keys.quit_server),
            }
            stack.enter_context(keys.listening(actions))
        # Any header: the protocols' metadata are headers, and only the schema's author knows their names.
        yield Cors(server, cors, allow_headers=["*"]) if cors else server


@contextmanager
def _on_hangup(callback: Callable[[], None]) -> Iterator[None]:
    """Call *callback* at each SIGHUP, in the event loop."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, callback)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
