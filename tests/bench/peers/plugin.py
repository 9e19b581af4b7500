"""Our handlers."""

from messages import REPEATED

from dynconnect import service


@service("bench.v1.Bench")
class Bench:
    async def echo(self, request, ctx):
        return request

    async def repeat(self, request, ctx):
        for _ in range(REPEATED):
            yield request

    async def last(self, requests, ctx):
        async for request in requests:
            last = request
        return last
