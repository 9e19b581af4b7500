"""Eliza, who answers the three RPCs of `eliza.proto`."""

from __future__ import annotations

from zlib import crc32

from dynconnect import service

from .doctor import Doctor, introduction


@service("connectrpc.eliza.v1.ElizaService")
class Eliza:
    async def say(self, request, ctx):
        # Nothing is kept from call to call, and the schema promises that the same sentence gets the
        # same answer. So it is the sentence that picks from the answers that fit.
        doctor = Doctor(turn=crc32(request.sentence.encode()))
        return {"sentence": doctor.reply(request.sentence).text}

    async def converse(self, requests, ctx):
        doctor = Doctor()
        async for request in requests:
            reply = doctor.reply(request.sentence)
            yield {"sentence": reply.text}
            if reply.farewell:
                return

    async def introduce(self, request, ctx):
        for sentence in introduction(request.name):
            yield {"sentence": sentence}
