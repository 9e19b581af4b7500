"""Making a generation aside: files in, everything checked; a generation comes out, or every finding.

First a draft, in a thread: all that can be looked at without running anything but modules. Then it is
opened: in the event loop resources are set up and classes instantiated, and a thread makes the routes.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dynconnect.live.generation import Generation, Route
from dynconnect.live.mocks import mock_of
from dynconnect.live.state import State
from dynconnect.plugins import handles
from dynconnect.plugins.binding import Bindings, Bound, Instances
from dynconnect.plugins.discovery import Plugins, check_syntax, discover
from dynconnect.plugins.interceptors import intercepted, interceptors_of
from dynconnect.plugins.locate import PluginError
from dynconnect.plugins.resources import GIVEN, Resource, resources_of
from dynconnect.plugins.settings import PluginSettings, read_settings
from dynconnect.rpc.handler import Interceptor, unimplemented
from dynconnect.schema.codec import Codec
from dynconnect.schema.finding import Finding, FindingsError
from dynconnect.schema.json.options import JsonOptions
from dynconnect.schema.load import load
from dynconnect.schema.method import Method
from dynconnect.schema.schema import Schema


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A generation that is checked and not yet made. It is opened, or closed.

    Attributes:
        resources: in the order in which they are set up.
        settings: the tables of all plugins.
        json: how services are written and read as JSON that do not say it themselves.
        mock: whether methods without a handler are mocked.
    """

    number: int
    hash: str
    schema: Schema
    plugins: Plugins
    bindings: Bindings
    resources: tuple[Resource, ...]
    settings: PluginSettings
    json: JsonOptions = field(default_factory=JsonOptions)
    mock: bool = False

    @property
    def mocked(self) -> frozenset[str]:
        """The methods that are mocked, by path."""
        if not self.mock:
            return frozenset()
        bound, spared = self.bound_by, self.bindings.not_mocked
        methods = self.schema.methods.items()
        return frozenset(
            path for path, method in methods if path not in bound and method.service_name not in spared
        )

    @property
    def bound_by(self) -> Mapping[str, str]:
        """``path:line name`` of the handler of each RPC that has one, by the RPC's path."""
        return self.bindings.bound_by

    async def open(self, predecessor: Generation | None = None) -> Generation:
        """The generation, which is to take over from *predecessor*; its `aclose` is the caller's.

        Raises:
            FindingsError: a resource or a constructor failed; what was set up is torn down.
        """
        before = None if predecessor is None else predecessor.state
        state = State(before, self._settings_of, self.schema.services)
        try:
            with handles.running(self.schema):
                await state.set_up(self.resources, self.plugins.space)
                instances = self.bindings.instances(state.provide)
                # A large set has thousands of routes, and calls go on.
                return await asyncio.to_thread(self._generation, state, instances)
        except BaseException:
            self.close()
            await state.aclose()
            raise

    def open_at_once(self) -> Generation:
        """The generation, made without an event loop.

        Raises:
            FindingsError: a constructor failed, or there are resources, which need one.
        """
        try:
            if self.resources:
                what = "a resource is set up in an event loop, and there is none"
                raise PluginError([Finding(resource.where, what) for resource in self.resources])
            with handles.running(self.schema):
                state = State(None, self._settings_of, self.schema.services)
                return self._generation(state, self.bindings.instances(state.provide))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the plugins' modules."""
        self.plugins.close()

    def _settings_of(self, file: str) -> Mapping[str, Any]:  # Any: the values of TOML
        # A marker may also be set by a library, which has no settings.
        module, _ = self.plugins.space.sources.get(Path(file), ("", b""))
        return self.settings.of(_plugin(module))

    def _generation(self, state: State, instances: Instances) -> Generation:
        bound = self.bindings.handlers(instances)
        interceptors = interceptors_of(self.plugins)
        options = self.bindings.json_options
        codecs = {
            name: self.schema.codecs_with(options.get(name, self.json)) for name in self.schema.services
        }
        mocked = self.mocked
        routes = {
            path: _route(
                method, bound.get(path), interceptors, codecs[method.service_name], mocked=path in mocked
            )
            for path, method in self.schema.methods.items()
        }
        return Generation(
            self.number,
            self.hash,
            self.schema,
            MappingProxyType(routes),
            interceptors,
            self.plugins,
            state,
            self._open_again,
        )

    async def _open_again(self, number: int, predecessor: Generation) -> Generation:
        self.plugins.space.keep()
        return await replace(self, number=number).open(predecessor)


def prepare(
    schema_patterns: Sequence[str],
    plugin_paths: Sequence[str] = (),
    number: int = 1,
    config: str | None = None,
    protoc: str | None = None,
    json: JsonOptions | None = None,
    *,
    mock: bool = False,
) -> Draft:
    """The draft *number* of these files. It blocks, and touches nothing that serves.

    *config* is the file of the plugins' settings; without one it is that of the working directory. *protoc*
    compiles .proto files; without one it is whichever is found. *json* is how services are written and read
    as JSON. With *mock*, methods without a handler are mocked.

    Raises:
        FindingsError: with every finding. If the schema is at fault, plugins are not executed, as
            they may import from it; what can be said without that is said.
    """
    settings = read_settings(config, os.environ)
    try:
        schema = read_schema(schema_patterns, protoc)
    except FindingsError as error:
        raise FindingsError((*error.findings, *check_syntax(plugin_paths), *settings.findings)) from None
    found = draft(schema, discover(plugin_paths, number, schema), number, settings, json)
    return replace(found, mock=mock)


def draft(
    schema: Schema,
    plugins: Plugins,
    number: int = 1,
    settings: PluginSettings | None = None,
    json: JsonOptions | None = None,
) -> Draft:
    """The draft that serves *schema* by *plugins*, which it closes if they do not fit.

    Raises:
        PluginError: with every finding.
    """
    settings = settings or PluginSettings()
    try:
        resources, findings = resources_of(plugins)
        # What failed to load may hold any resource.
        provided = None if plugins.findings else {*GIVEN, *(resource.name for resource in resources)}
        bindings = Bindings(schema, plugins, provided)
        known = {_plugin(name) for name, _ in plugins.space.sources.values()}
        unknown = () if plugins.findings else settings.unknown(known)
        findings = (*plugins.findings, *bindings.findings, *findings, *settings.findings, *unknown)
        if findings:
            raise PluginError(findings)
        # Once before anything is set up: an interceptor that is none is known to be so by its stream.
        intercepted(unimplemented, interceptors_of(plugins))
    except BaseException:
        plugins.close()
        raise
    content = hashlib.sha256(f"{schema.hash} {plugins.hash} {settings.hash}".encode()).hexdigest()
    return Draft(number, content, schema, plugins, bindings, resources, settings, json or JsonOptions())


def build(
    schema_patterns: Sequence[str],
    plugin_paths: Sequence[str] = (),
    number: int = 1,
    config: str | None = None,
) -> Generation:
    """The generation *number* of these files, made without an event loop, so of plugins without resources.

    Raises:
        FindingsError: with every finding, as `prepare` and `Draft.open_at_once` do.
    """
    return prepare(schema_patterns, plugin_paths, number, config).open_at_once()


async def build_in_thread(
    schema_patterns: Sequence[str],
    plugin_paths: Sequence[str] = (),
    number: int = 1,
    predecessor: Generation | None = None,
    config: str | None = None,
    protoc: str | None = None,
    json: JsonOptions | None = None,
    *,
    mock: bool = False,
) -> Generation:
    """The generation *number* of these files, drafted in a thread, so that the event loop goes on.

    Raises:
        FindingsError: with every finding, as `prepare` and `Draft.open` do.
    """
    prepared = await _in_thread(
        lambda: prepare(schema_patterns, plugin_paths, number, config, protoc, json, mock=mock)
    )
    return await prepared.open(predecessor)


def read_schema(patterns: Sequence[str], protoc: str | None = None) -> Schema:
    """The schema of the descriptor sets and ``.proto`` files that *patterns* name, compiled by *protoc*.

    Raises:
        FindingsError: with every finding of every file.
    """
    return Schema(load(patterns, protoc))


def _plugin(module: str) -> str:
    """The name of the plugin that *module* belongs to: its file or folder."""
    return module.partition(".")[0]


def _route(
    method: Method,
    bound: Bound | None,
    interceptors: Sequence[Interceptor],
    codecs: Mapping[str, Codec],
    *,
    mocked: bool,
) -> Route:
    if bound is None:
        return Route.to(mock_of(method) if mocked else None, method, interceptors, codecs, mocked=mocked)
    bound_by = f"{bound.where} {bound.name}"
    return Route.to(bound.handler, method, interceptors, codecs, bound_by=bound_by, code=bound.code)


async def _in_thread(preparing: Callable[[], Draft]) -> Draft:
    future = asyncio.ensure_future(asyncio.to_thread(preparing))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        # The thread cannot be stopped; what it makes must not stay.
        future.add_done_callback(_discard)
        raise


def _discard(future: asyncio.Future[Draft]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()
