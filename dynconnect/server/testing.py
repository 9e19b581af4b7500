"""A server in memory, for tests of plugins: the files as they are, clients of each protocol, and reloads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from dynconnect.client.client import Client, ProtocolName
from dynconnect.client.memory import MemoryTransport
from dynconnect.live.build import Draft, prepare
from dynconnect.live.generation import Generation
from dynconnect.plugins.locate import PluginError
from dynconnect.plugins.places import did_you_mean
from dynconnect.plugins.resources import Resource
from dynconnect.schema.finding import Finding
from dynconnect.server.asgi import Server


class TestServer:
    """The server of *schema* and *plugins*, between ``async with`` and its end.

    Args:
        schema: descriptor sets, ``.proto`` files, globs or folders; one or several.
        plugins: files, folders or modules; one or several.
        config: the file of the plugins' settings.
        resources: what stands in for resources, by their names: those are not set up.
    """

    __test__ = False  # pytest takes classes of this name for tests

    server: Server
    """The ASGI application."""

    def __init__(
        self,
        schema: str | Sequence[str],
        plugins: str | Sequence[str] = (),
        *,
        config: str | None = None,
        resources: Mapping[str, object] | None = None,
    ) -> None:
        self._schema = [schema] if isinstance(schema, str) else [*schema]
        self._plugins = [plugins] if isinstance(plugins, str) else [*plugins]
        self._config = config
        self._resources = dict(resources or {})

    async def __aenter__(self) -> Self:
        self.server = Server(await self._built(1))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.generations.aclose()

    @property
    def generation(self) -> Generation:
        """What answers calls that begin now."""
        return self.server.generations.current

    def client(self, protocol: ProtocolName = "connect", **options: Any) -> Client:  # Any: of `Client`
        """A client of the schema as it is now; for *options* see `Client`."""
        schema = self.generation.schema
        return Client(MemoryTransport(self.server), schema=schema, protocol=protocol, **options)

    async def reload(self) -> Generation:
        """Serve the files as they are now.

        Raises:
            FindingsError: with all that is wrong; the old generation goes on serving.
        """
        before = self.generation
        generation = await self._built(before.number + 1, before)
        self.server.generations.swap(generation)
        return generation

    async def _built(self, number: int, predecessor: Generation | None = None) -> Generation:
        draft = prepare(self._schema, self._plugins, number, self._config)
        try:
            draft = replace(draft, resources=tuple(self._given(draft)))
        except PluginError:
            draft.close()
            raise
        return await draft.open(predecessor)

    def _given(self, draft: Draft) -> Sequence[Resource]:
        names = {resource.name for resource in draft.resources}
        for name in self._resources:
            if name not in names:
                hint = did_you_mean(name, names) or f"there is {', '.join(sorted(names)) or 'none'}"
                raise PluginError([Finding("resources", f"there is no resource {name}", hint)])
        return [
            _standing_in(resource, self._resources[resource.name])
            if resource.name in self._resources
            else resource
            for resource in draft.resources
        ]


def _standing_in(resource: Resource, value: object) -> Resource:
    """*resource*, which is *value* instead of what it sets up."""

    async def given() -> AsyncIterator[object]:
        yield value

    given.__name__ = resource.name
    return replace(resource, function=given, wants=())
