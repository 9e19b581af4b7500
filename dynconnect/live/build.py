"""Building a generation aside: files in, everything checked; a generation comes out, or every finding."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from types import MappingProxyType

from dynconnect.live.generation import Generation, Route
from dynconnect.plugins.binding import Bound, bind
from dynconnect.plugins.discovery import Plugins, check_syntax, discover
from dynconnect.plugins.interceptors import intercepted, interceptors_of
from dynconnect.rpc.handler import Interceptor, stream_of, unimplemented
from dynconnect.schema.finding import FindingsError
from dynconnect.schema.load import load
from dynconnect.schema.method import Method
from dynconnect.schema.schema import Schema


def build(
    schema_patterns: Sequence[str],
    plugin_paths: Sequence[str] = (),
    number: int = 1,
    protoc: str | None = None,
) -> Generation:
    """The generation *number* of these files. It blocks, and touches nothing that serves.

    Raises:
        FindingsError: with every finding. If the schema is at fault, plugins are not executed, as
            they may import from it; what can be said without that is said.
    """
    try:
        schema = read_schema(schema_patterns, protoc)
    except FindingsError as error:
        raise FindingsError((*error.findings, *check_syntax(plugin_paths))) from None
    return assemble(schema, discover(plugin_paths, number, schema), number)


async def build_in_thread(
    schema_patterns: Sequence[str],
    plugin_paths: Sequence[str] = (),
    number: int = 1,
    protoc: str | None = None,
) -> Generation:
    """What `build` returns, made in a thread, so that the event loop goes on.

    Raises:
        FindingsError: as `build` does.
    """
    building = asyncio.ensure_future(asyncio.to_thread(build, schema_patterns, plugin_paths, number, protoc))
    try:
        return await asyncio.shield(building)
    except asyncio.CancelledError:
        # The thread cannot be stopped; what it makes must not stay.
        building.add_done_callback(_discard)
        raise


def read_schema(patterns: Sequence[str], protoc: str | None = None) -> Schema:
    """The schema of the descriptor sets and ``.proto`` files that *patterns* name, compiled by *protoc*.

    Raises:
        FindingsError: with every finding of every file.
    """
    return Schema(load(patterns, protoc))


def assemble(schema: Schema, plugins: Plugins, number: int = 1) -> Generation:
    """The generation that serves *schema* by *plugins*, which it closes if they do not fit.

    Raises:
        PluginError: with every finding.
    """
    try:
        bound = bind(schema, plugins)
        interceptors = interceptors_of(plugins)
        routes = {
            path: _route(method, bound.get(path), interceptors) for path, method in schema.methods.items()
        }
    except BaseException:
        plugins.close()
        raise
    content = hashlib.sha256(f"{schema.hash} {plugins.hash}".encode()).hexdigest()
    return Generation(number, content, schema, MappingProxyType(routes), interceptors, plugins)


def _route(method: Method, bound: Bound | None, interceptors: Sequence[Interceptor]) -> Route:
    # A method without a handler is intercepted too: who may not call it need not learn that it is missing.
    stream = unimplemented if bound is None else stream_of(method, bound.handler)
    stream = intercepted(stream, interceptors)
    if bound is None:
        return Route(method, stream, None)
    return Route(method, stream, f"{bound.where} {bound.name}", bound.code)


def _discard(building: asyncio.Future[Generation]) -> None:
    if not building.cancelled() and building.exception() is None:
        building.result().close()
