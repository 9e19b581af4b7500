"""Eliza, who answers the three RPCs of `eliza.proto`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from zlib import crc32

from dynconnect import Context, service

from .doctor import Doctor, introduction

if TYPE_CHECKING:  # the types of the schema, from the stubs that `dynconnect stubs` writes
    from dynconnect_types.connectrpc.eliza.v1 import (
        ConverseRequest,
        ElizaService,
        IntroduceRequest,
        SayRequest,
    )

Sentence = dict[str, str]


@service("connectrpc.eliza.v1.ElizaService")
class Eliza:
    async def say(self, request: SayRequest, ctx: Context) -> Sentence:
        # Nothing is kept from call to call, and the schema promises that the same sentence gets the
        # same answer. So it is the sentence that picks from the answers that fit.
        doctor = Doctor(turn=crc32(request.sentence.encode()))
        return {"sentence": doctor.reply(request.sentence).text}

    async def converse(
        self, requests: AsyncIterator[ConverseRequest], ctx: Context
    ) -> AsyncIterator[Sentence]:
        doctor = Doctor()
        async for request in requests:
            reply = doctor.reply(request.sentence)
            yield {"sentence": reply.text}
            if reply.farewell:
                return

    async def introduce(self, request: IntroduceRequest, ctx: Context) -> AsyncIterator[Sentence]:
        for sentence in introduction(request.name):
            yield {"sentence": sentence}


if TYPE_CHECKING:  # are these the handlers that the schema wants?

    def _fits(handlers: Eliza) -> ElizaService:
        return handlers
