"""What is served, for programs: which generation, what binds its methods, and how the last reload went."""

from __future__ import annotations

from dataclasses import asdict
from ipaddress import ip_address
from typing import Protocol

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from dynconnect.live.generation import Generation
from dynconnect.live.generations import Generations
from dynconnect.live.news import News
from dynconnect.schema.schema import Schema
from dynconnect.server.asgi_call import Scope


class Shown(Protocol):
    """The server that is looked at."""

    generations: Generations
    news: News | None


def state_of(generation: Generation, news: News | None) -> dict[str, object]:
    """*generation*, and the *news* of the last reload, as JSON has them."""
    return {
        "generation": generation.number,
        "hash": generation.hash,
        "services": {
            name: {
                method.name: {
                    "path": method.path,
                    "clientStreaming": method.client_streaming,
                    "serverStreaming": method.server_streaming,
                    "boundBy": generation.routes[method.path].bound_by,
                    "mock": generation.routes[method.path].mocked,
                }
                for method in methods
            }
            for name, methods in generation.schema.services.items()
        },
        "reload": None if news is None else {"kind": type(news).__name__.lower(), **asdict(news)},
    }


def set_of(schema: Schema) -> bytes:
    """The descriptor set of *schema*, each file after its imports."""
    found = FileDescriptorSet()
    for data in schema.files.values():
        found.file.add().MergeFromString(data)
    return found.SerializeToString(deterministic=True)


def is_near(scope: Scope) -> bool:
    """Whether the request of *scope* comes from this machine, and was meant for it.

    The second keeps out pages of other sites, whose names may be made to lead here (DNS rebinding).
    """
    client = scope.get("client")
    host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
    named = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return client is not None and _is_loopback(client[0]) and _is_loopback(named.strip("[]"))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
