"""The book: it is kept in memory, and handed from each version of this file to the next.

Entries are kept as bytes. Whoever reads along may do so by an older schema, which does not know what the
newer one has added, and skips it.
"""

import asyncio

from dynconnect_types.guestbook.v1 import Entry

from dynconnect import Code, ConnectError, service


@service("guestbook.v1.GuestbookService")
class Guestbook:
    def __init__(self, hot):
        self.entries = hot.data.setdefault("entries", [])
        self.signed = hot.data.setdefault("signed", asyncio.Event())

    async def sign(self, request, ctx):
        if not request.entry.name:
            raise ConnectError(Code.INVALID_ARGUMENT, "sign with your name, please")
        request.entry.text = _framed(request.entry.text)
        self.entries.append(request.entry.SerializeToString())
        self.signed.set()
        return {"entry": request.entry, "count": len(self.entries)}

    async def read(self, request, ctx):
        read = 0
        while True:
            for entry in self.entries[read:]:
                yield Entry.FromString(entry)
            read = len(self.entries)
            self.signed.clear()
            await self.signed.wait()


def _framed(text):
    return text.strip()
