"""CPU per gRPC unary call: a do-nothing application on our HTTP/2, against grpc.aio in the same run.

    python tests/bench/http2.py [ROUNDS [CALLS]]

The client is a socket with frames encoded beforehand, as any client library would cost more than what is
measured: 64 calls in flight on one connection, each HEADERS + DATA with END_STREAM, the head from the HPACK
table as every client sends it after its first call. The servers take turns; CPU is what the process used, by
its own clock. On a shared machine believe the ratio, then the CPU, and the calls per second not at all.
"""

import asyncio
import multiprocessing
import os
import resource
import signal
import socket
import statistics
import sys
import time

from hpack import Encoder

MESSAGE = b"\0\0\0\0\x1e" + bytes(range(30))
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/grpc"),
    (":authority", "localhost"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
    ("user-agent", "bench"),
]
IN_FLIGHT = 64


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


# --- servers ------------------------------------------------------------------------------------------------


def run(make, pipe, *, uvloop):
    """Runs a server in this process; answers each message on *pipe* with the CPU seconds so far."""

    async def main():
        loop = asyncio.get_running_loop()
        pipe.send(await make(loop))

        def report():
            pipe.recv()
            used = resource.getrusage(resource.RUSAGE_SELF)
            pipe.send(used.ru_utime + used.ru_stime)

        loop.add_reader(pipe.fileno(), report)
        await asyncio.Event().wait()

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if uvloop:
        import uvloop as fast

        fast.run(main())
    else:
        asyncio.run(main())


async def ours(loop):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "http2"))  # noqa: PTH118, PTH120
    from serve import app

    from dynconnect.server.http2 import Connection

    server = await loop.create_server(lambda: Connection(app, loop), "127.0.0.1", 0)
    return server.sockets[0].getsockname()[1]


async def in_hypercorn(loop):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "http2"))  # noqa: PTH118, PTH120
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from serve import app

    from dynconnect.server.engines import hypercorn_http2

    reason = hypercorn_http2.install()
    if reason:
        raise RuntimeError(reason)
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{sock.detach()}"]
    config.include_server_header = config.include_date_header = False
    config.errorlog = None
    loop.serving = loop.create_task(serve(app, config, shutdown_trigger=asyncio.Event().wait))
    return port


async def grpc_aio(loop):
    import grpc
    import grpc.aio

    async def unary(request, context):
        return MESSAGE[5:]

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            return grpc.unary_unary_rpc_method_handler(unary)

    loop.server = server = grpc.aio.server()  # kept alive by the loop
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return port


class Server:
    def __init__(self, make, *, uvloop):
        here, there = multiprocessing.Pipe()
        self.pipe = here
        self.process = multiprocessing.get_context("spawn").Process(
            target=run, args=(make, there), kwargs={"uvloop": uvloop}, daemon=True
        )
        self.process.start()
        self.port = here.recv()

    def cpu(self):
        self.pipe.send(None)
        return self.pipe.recv()


# --- the client ---------------------------------------------------------------------------------------------


class Client:
    """One connection; counts END_STREAM of HEADERS, and gives windows back."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        encoder = Encoder()
        self.first = encoder.encode(HEADERS)
        self.block = encoder.encode(HEADERS)
        window = frame(8, 0, 0, (2**30).to_bytes(4))
        self.socket.sendall(PREFACE + frame(4, 0, 0, b"") + window)
        self.stream, self.rest = 1, b""

    def call(self):
        block, self.first = self.first or self.block, b""
        stream, self.stream = self.stream, self.stream + 2
        return frame(1, 4, stream, block) + frame(0, 1, stream, MESSAGE)

    def calls(self, count):
        """Makes *count* calls, 64 in flight."""
        left, done = count - IN_FLIGHT, 0
        self.socket.sendall(b"".join(self.call() for _ in range(IN_FLIGHT)))
        while done < count:
            ended, reply = self.read()
            done += ended
            new = min(ended, left)
            left -= new
            reply += [self.call() for _ in range(new)]
            if reply:
                self.socket.sendall(b"".join(reply))

    def read(self):
        """How many streams ended, and what is to be said to other frames."""
        data = self.rest + self.socket.recv(1 << 16)
        if data == self.rest:
            raise ConnectionError("the server closed the connection")
        at, ended, reply = 0, 0, []
        while len(data) - at >= 9:
            end = at + 9 + int.from_bytes(data[at : at + 3])
            if end > len(data):
                break
            kind, flags = data[at + 3], data[at + 4]
            if kind == 1 and flags & 1:
                ended += 1
            elif kind in (3, 7):
                raise ConnectionError(f"RST_STREAM or GOAWAY: {data[at:end]!r}")
            elif kind == 4 and not flags:
                reply.append(frame(4, 1, 0, b""))
            elif kind == 6 and not flags:
                reply.append(frame(6, 1, 0, data[at + 9 : end]))
            at = end
        self.rest = data[at:]
        return ended, reply


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    calls = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    servers = {
        "grpc.aio": Server(grpc_aio, uvloop=False),
        "ours, uvloop": Server(ours, uvloop=True),
        "ours, asyncio": Server(ours, uvloop=False),
        "in hypercorn": Server(in_hypercorn, uvloop=True),
    }
    used = {name: [] for name in servers}
    for number in range(rounds + 1):
        for name, server in servers.items():
            client, before, since = Client(server.port), server.cpu(), time.monotonic()
            client.calls(calls)
            if number:  # the first warms up
                used[name].append(((server.cpu() - before) / calls * 1e6, calls / (time.monotonic() - since)))
            client.socket.close()
    base = statistics.median(cpu for cpu, _ in used["grpc.aio"])
    for name, found in used.items():
        cpus = sorted(cpu for cpu, _ in found)
        cpu, rate = statistics.median(cpus), statistics.median(rate for _, rate in found)
        print(  # noqa: T201  # a report
            f"{name:14} {cpu / base:5.3f} of grpc.aio   {cpu:6.1f} us CPU a call"
            f" ({cpus[0]:.1f} to {cpus[-1]:.1f})   {rate:6.0f} calls/s"
        )
    for server in servers.values():
        server.process.terminate()


if __name__ == "__main__":
    main()
