"""The handlers of shop.proto, as any user writes them."""

import asyncio

from dynconnect import Code, ConnectError, service

released = asyncio.Event()


@service("shop.v1.Orders")
class Orders:
    async def get(self, request, ctx):
        ctx.response_headers["x-saw"] = ctx.request_headers.get("x-asks", "nothing")
        ctx.response_trailers["x-took"] = "long"
        if request.id == "none":
            details = [{"@type": "shop.v1.GetRequest", "id": "<b>none</b>"}]
            raise ConnectError(Code.NOT_FOUND, "there is no order <b>none</b>", details)
        return {"order_id": request.id}

    async def watch(self, request, ctx):
        if request.id.isdecimal():
            for number in range(int(request.id)):
                yield {"order_id": f"{number} {'x' * 20_000}"}
            return
        yield {"order_id": "first"}
        await released.wait()
        yield {"order_id": "second"}

    async def import_(self, requests, ctx):
        return {"count": len([request async for request in requests])}

    async def talk(self, requests, ctx):
        async for request in requests:
            yield request

    async def release(self, request, ctx):
        released.set()
        return {}

    async def wait(self, request, ctx):
        await asyncio.Event().wait()
