"""The first text of a plugin: a class for each service, with every method in its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dynconnect.plugins.binding import python_name
from dynconnect.schema.method import Method

_BODIES = {
    # by whether the client streams, and the server
    (False, False): ("request", ["return {}"]),
    (False, True): ("request", ["yield {}"]),
    (True, False): ("requests", ["async for _request in requests:", "    pass", "return {}"]),
    (True, True): ("requests", ["async for _request in requests:", "    yield {}"]),
}


def skeleton(services: Mapping[str, Sequence[Method]]) -> str:
    """The source text of handlers of *services*, which all answer empty messages."""
    parts = ["from dynconnect import service\n"]
    for name, methods in services.items():
        parts += ["", f'@service("{name}")', f"class {name.rpartition('.')[2]}:"]
        if not methods:
            parts.append("    pass")
        for method in methods:
            parts += ["", *_handler(method)] if method is not methods[0] else _handler(method)
        parts.append("")
    return "\n".join(parts)


def _handler(method: Method) -> list[str]:
    given, body = _BODIES[method.client_streaming, method.server_streaming]
    kinds = [
        f"{'stream ' if streams else ''}{message.DESCRIPTOR.full_name}"
        for streams, message in (
            (method.client_streaming, method.input),
            (method.server_streaming, method.output),
        )
    ]
    lines = [f"async def {python_name(method.name)}(self, {given}, ctx):  # {kinds[0]} → {kinds[1]}"]
    return [f"    {line}" for line in [*lines, *(f"    {line}" for line in body)]]
