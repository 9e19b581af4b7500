"""Handlers for the set that is looked at more than called."""

from dynconnect import service


@service("reflected.v1.Catalog")
class Catalog:
    async def find(self, request, ctx):
        return request

    async def watch(self, request, ctx):
        yield {"name": request.id, "level": "LEVEL_LOW"}
