#!/usr/bin/env python3
"""Our client, driven by the official conformance suite: ``client.py SCHEMA`` (mode "client" of its runner).

It reads `ClientCompatRequest`s from stdin and writes `ClientCompatResponse`s to stdout, each behind its
length; the calls run side by side.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from dynconnect.client.call import Call
from dynconnect.client.client import Client, find_method
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.schema.load import load
from dynconnect.schema.schema import Schema

PACKAGE = "connectrpc.conformance.v1"
AT_ONCE = 64
HTTP = {1: "1.1", 2: "2", 3: "3"}
PROTOCOLS = {1: "connect", 2: "grpc", 3: "grpcweb"}
CODECS = {1: "proto", 2: "json"}
COMPRESSIONS = {2: "gzip", 3: "br", 4: "zstd", 5: "deflate", 6: "snappy"}
FULL_DUPLEX = 5
"""Of StreamType."""


class Asked:
    """One request of the runner, and the call that it is."""

    def __init__(self, schema: Schema, data: bytes) -> None:
        self.schema = schema
        self.test: Any = schema.message_class(f"{PACKAGE}.ClientCompatRequest").FromString(data)
        self.result: Any = schema.message_class(f"{PACKAGE}.ClientResponseResult")()
        self._closing = asyncio.Event()
        self._answered = asyncio.Semaphore(0)

    async def answer(self) -> bytes:
        """The response for the runner."""
        response = self.schema.message_class(f"{PACKAGE}.ClientCompatResponse")(test_name=self.test.test_name)
        try:
            await self._run()
        except Exception as exc:  # noqa: BLE001  a fault of ours is told to the runner
            response.error.message = repr(exc)
        else:
            response.response.CopyFrom(self.result)
        return response.SerializeToString()

    def client(self) -> Client:
        test = self.test
        tls = bool(test.server_tls_cert)
        creds = test.client_tls_creds
        return Client(
            f"{'https' if tls else 'http'}://{test.host}:{test.port}",
            schema=self.schema,
            protocol=PROTOCOLS[test.protocol],
            codec=CODECS[test.codec],
            compress=COMPRESSIONS.get(test.compression),
            limits=Limits(read_max_bytes=test.message_receive_limit or 4 << 20, compress_min_bytes=0),
            timeout=test.timeout_ms / 1000 if test.HasField("timeout_ms") else None,
            get=test.use_get_http_method,
            http=HTTP[test.http_version],
            ca=test.server_tls_cert or None,
            cert=creds.cert or None,
            key=creds.key or None,
        )

    async def _run(self) -> None:
        test = self.test
        headers = [(header.name, value) for header in test.request_headers for value in header.value]
        async with self.client() as client:
            method = f"{test.service}/{test.method}"
            messages = [self._unpacked(each) for each in test.request_messages]
            shape = find_method(self.schema, method)
            sent = self._requests(messages) if shape.client_streaming else messages[0]
            call = await client.stream(method, sent, metadata=headers)
            working = asyncio.ensure_future(self._converse(call))
            cancel = asyncio.ensure_future(self._cancel(working))
            try:
                await working
            except ConnectError as exc:
                self._failed(exc)
            except asyncio.CancelledError:
                self._failed(ConnectError(Code.CANCELED, "cancelled"))
            finally:
                cancel.cancel()
            self._told(self.result.response_headers, call.response_headers)
            self._told(self.result.response_trailers, call.response_trailers)

    async def _converse(self, call: Call) -> None:
        test = self.test
        most = test.cancel.after_num_responses if test.cancel.HasField("after_num_responses") else None
        if not call.method.client_streaming:
            await asyncio.sleep(test.request_delay_ms / 1000)
        async with call:
            if most == 0:
                raise asyncio.CancelledError
            if not call.method.server_streaming:
                self.result.payloads.append((await call.single()).payload)
                return
            count = 0
            async for response in call:
                self.result.payloads.append(response.payload)
                self._answered.release()
                count += 1
                if count == most:
                    raise asyncio.CancelledError

    async def _requests(self, messages: list[Any]) -> AsyncIterator[Any]:
        for message in messages:
            await asyncio.sleep(self.test.request_delay_ms / 1000)
            yield message
            if self.test.stream_type == FULL_DUPLEX:
                await self._answered.acquire()
        self._closing.set()
        if self.test.cancel.HasField("before_close_send"):
            await asyncio.Event().wait()

    async def _cancel(self, working: asyncio.Future[None]) -> None:
        """Cancel *working* when the runner wants that."""
        cancel = self.test.cancel
        if cancel.HasField("before_close_send"):
            await self._closing.wait()
            await asyncio.sleep(0.05)
            working.cancel()
        elif cancel.HasField("after_close_send_ms"):
            if self.test.stream_type in (2, 4, 5):
                await self._closing.wait()
            await asyncio.sleep(cancel.after_close_send_ms / 1000)
            working.cancel()

    def _unpacked(self, message: Any) -> Any:
        cls = self.schema.message_class(message.type_url.rpartition("/")[2])
        return cls.FromString(message.value)

    def _failed(self, exc: ConnectError) -> None:
        error = self.result.error
        error.code = exc.code.number
        error.message = exc.message
        for detail in exc.packed:
            error.details.add(type_url=f"type.googleapis.com/{detail.type}", value=detail.value)

    def _told(self, headers: Any, metadata: Any) -> None:
        for name in metadata:
            headers.add(name=name, value=metadata.getall(name))


async def main(path: str) -> None:
    schema = Schema(load([path]))
    reader = asyncio.StreamReader(limit=1 << 26)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    turns = asyncio.Semaphore(AT_ONCE)

    async def answer(data: bytes) -> None:
        async with turns:
            response = await Asked(schema, data).answer()
        sys.stdout.buffer.write(len(response).to_bytes(4, "big") + response)
        sys.stdout.buffer.flush()

    async with asyncio.TaskGroup() as running:
        while True:
            try:
                size = int.from_bytes(await reader.readexactly(4), "big")
            except asyncio.IncompleteReadError:
                break
            running.create_task(answer(await reader.readexactly(size)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
