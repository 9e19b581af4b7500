"""The book: it is kept in memory, and handed from each version of this file to the next.

Entries are kept as bytes. Whoever reads along may do so by an older schema, which does not know what the
newer one has added, and skips it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from dynconnect_types.guestbook.v1 import Entry

from dynconnect import Code, ConnectError, Context, service

if TYPE_CHECKING:  # the types of the schema, from the stubs that `dynconnect stubs` writes
    from dynconnect_types.guestbook.v1 import GuestbookService, ReadRequest, SignRequest

    from dynconnect.plugins.hot import Hot


@service("guestbook.v1.GuestbookService")
class Guestbook:
    def __init__(self, hot: Hot) -> None:
        self.entries: list[bytes] = hot.data.setdefault("entries", [])
        self.signed: asyncio.Event = hot.data.setdefault("signed", asyncio.Event())

    async def sign(self, request: SignRequest, ctx: Context) -> dict[str, Any]:
        if not request.entry.name:
            raise ConnectError(Code.INVALID_ARGUMENT, "sign with your name, please")
        request.entry.text = _framed(request.entry.text)
        self.entries.append(request.entry.SerializeToString())
        self.signed.set()
        return {"entry": request.entry, "count": len(self.entries)}

    async def read(self, request: ReadRequest, ctx: Context) -> AsyncIterator[Entry]:
        read = 0
        while True:
            for entry in self.entries[read:]:
                yield Entry.FromString(entry)
            read = len(self.entries)
            self.signed.clear()
            await self.signed.wait()


def _framed(text: str) -> str:
    return text.strip()


if TYPE_CHECKING:  # are these the handlers that the schema wants?

    def _fits(handlers: Guestbook) -> GuestbookService:
        return handlers
