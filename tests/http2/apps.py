"""ASGI applications that the tests run."""

OK = [(b"grpc-status", b"0")]
GRPC = [(b"content-type", b"application/grpc")]


async def messages(receive):
    """The gRPC messages of a request, each with its five bytes in front."""
    buffer, more = b"", True
    while more or buffer:
        while len(buffer) >= 5 and len(buffer) >= (size := 5 + int.from_bytes(buffer[1:5])):
            yield buffer[:size]
            buffer = buffer[size:]
        if more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            buffer += event["body"]
            more = event["more_body"]


async def grpc_echo(scope, receive, send):
    """Sends every message back, at once."""
    await send({"type": "http.response.start", "status": 200, "headers": GRPC, "trailers": True})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    async for message in messages(receive):
        await send({"type": "http.response.body", "body": message, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    await send({"type": "http.response.trailers", "headers": OK})


async def echo(scope, receive, send):
    """Sends the body back as it comes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        event = await receive()
        more = event.get("more_body", False)
        await send({"type": "http.response.body", "body": event.get("body", b""), "more_body": more})


async def read(receive):
    """The whole body; what comes instead of its end if the client goes away is left out."""
    body = b""
    while (event := await receive())["type"] == "http.request":
        body += event["body"]
        if not event["more_body"]:
            break
    return body


async def answer(send, body=b"", status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def hello(scope, receive, send):
    """Reads the request and answers with its body."""
    await answer(send, await read(receive) or b"hello")
