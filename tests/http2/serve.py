"""A small server for tools that want one (h2spec, h2load, nghttp, curl): reads the request and answers.

    python tests/http2/serve.py PORT [--uvloop] [--tls CERT KEY]

``/grpc`` answers as a gRPC method that does nothing, every other path with 200 and a short body.
"""

import argparse
import asyncio
import ssl

from dynconnect.server.http2 import Connection

MESSAGE = b"\0\0\0\0\x1e" + bytes(range(30))
GRPC = [(b"content-type", b"application/grpc+proto")]
PLAIN = [(b"content-type", b"text/plain"), (b"content-length", b"30")]
OK = [(b"grpc-status", b"0")]


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # no lifespan
    while (await receive()).get("more_body", False):
        pass
    if scope["path"] == "/grpc":
        await send({"type": "http.response.start", "status": 200, "headers": GRPC, "trailers": True})
        await send({"type": "http.response.body", "body": MESSAGE})
        await send({"type": "http.response.trailers", "headers": OK})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": PLAIN})
        await send({"type": "http.response.body", "body": b"hello from the HTTP/2 server!\n"})


async def serve(port, tls=None):
    loop = asyncio.get_running_loop()
    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*tls)
        context.set_alpn_protocols(["h2"])
    server = await loop.create_server(lambda: Connection(app, loop), "127.0.0.1", port, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # for whoever started us with port 0
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    args = parser.parse_args()
    if args.uvloop:
        import uvloop

        uvloop.run(serve(args.port, args.tls))
    else:
        asyncio.run(serve(args.port, args.tls))


if __name__ == "__main__":
    main()
