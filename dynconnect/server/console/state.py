"""What is served, for programs: which generation, what binds its methods, and how the last reload went."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from ipaddress import ip_address
from typing import Protocol
from weakref import WeakKeyDictionary

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorSet

from dynconnect.live.generation import Generation, Route
from dynconnect.live.generations import Generations
from dynconnect.live.news import Refused
from dynconnect.schema.json.fields import descriptor_of, reachable
from dynconnect.schema.schema import Schema
from dynconnect.server.asgi_call import Scope
from dynconnect.server.feed import Feed, said


class Live(Protocol):
    """What serves."""

    generations: Generations


@dataclass(frozen=True, slots=True)
class Shown:
    """What may be looked at.

    Attributes:
        everybody: whether those on other machines may, too.
    """

    server: Live
    feed: Feed
    everybody: bool = False

    @property
    def generation(self) -> Generation:
        """What serves now."""
        return self.server.generations.current

    def to(self, scope: Scope) -> bool:
        """Whether who asks by *scope* may look."""
        return self.everybody or is_near(scope)


_FORWARDED = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host"})
"""What proxies add."""
_types: WeakKeyDictionary[Schema, dict[str, bytes]] = WeakKeyDictionary()
"""What digests take from the messages of a schema, which does not change, by their names."""


def state_of(generation: Generation, feed: Feed) -> dict[str, object]:
    """*generation*, and how the last reload went, as JSON has them."""
    refused = () if feed.refused is None else feed.refused.findings
    return {
        "version": version("dynconnect"),
        "generation": generation.number,
        "hash": generation.hash,
        "services": {
            service: {
                method.name: _method(generation.schema, generation.routes[method.path], feed.refused)
                for method in methods
            }
            for service, methods in generation.schema.services.items()
        },
        "reload": None if feed.news is None else said(feed.news),
        "refused": [asdict(finding) for finding in refused],
    }


def _method(schema: Schema, route: Route, refused: Refused | None) -> dict[str, object]:
    method = route.method
    return {
        "path": method.path,
        "request": descriptor_of(method.input).full_name,
        "response": descriptor_of(method.output).full_name,
        "clientStreaming": method.client_streaming,
        "serverStreaming": method.server_streaming,
        "noSideEffects": method.no_side_effects,
        "deprecated": method.deprecated,
        "boundBy": route.bound_by,
        "mock": route.mocked,
        "broken": refused is not None and _is_in(route.bound_by, refused),
        "digest": _digest(schema, route),
    }


def _is_in(bound_by: str | None, refused: Refused) -> bool:
    """Whether the file of that handler is one of those that could not be taken."""
    return bound_by is not None and _file(bound_by) in {_file(each.where) for each in refused.findings}


def _file(where: str) -> str:
    return re.split(r":\d", where, maxsplit=1)[0]


def _digest(schema: Schema, route: Route) -> str:
    """Another one once a call of *route* may come to something else: its types, its shape or its handler."""
    method = route.method
    shape = (method.client_streaming, method.server_streaming, method.no_side_effects, route.bound_by is None)
    digest = hashlib.sha256(repr((shape, route.mocked)).encode() + route.code)
    for message in (method.input, method.output):
        digest.update(_type_digest(schema, descriptor_of(message)))
    return digest.hexdigest()[:16]


def _type_digest(schema: Schema, message: Descriptor) -> bytes:
    known = _types.setdefault(schema, {})
    name = message.full_name
    if name not in known:
        found = sorted(reachable(message), key=lambda each: each.full_name)
        known[name] = hashlib.sha256(b"".join(map(_declared, found))).digest()
    return known[name]


def _declared(message: Descriptor) -> bytes:
    """All that *message* says itself, and its enums."""
    declared = DescriptorProto()
    message.CopyToProto(declared)
    parts = [message.full_name.encode(), declared.SerializeToString(deterministic=True)]
    for field in message.fields:
        if field.enum_type is not None:
            values = EnumDescriptorProto()
            field.enum_type.CopyToProto(values)
            parts.append(values.SerializeToString(deterministic=True))
    return b"".join(parts)


def set_of(schema: Schema) -> bytes:
    """The descriptor set of *schema*, each file after its imports."""
    found = FileDescriptorSet()
    for data in schema.files.values():
        found.file.add().MergeFromString(data)
    return found.SerializeToString(deterministic=True)


def is_near(scope: Scope) -> bool:
    """Whether the request of *scope* comes from this machine, was meant for it, and is no other site's.

    That it was meant for it keeps out names that are made to lead here (DNS rebinding). A proxy on this
    machine passes on what comes from elsewhere, and says so as a rule. Sources: RFC 7239; Fetch Metadata.
    """
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    client, host = scope.get("client"), headers.get(b"host", "")
    named = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    here = client is not None and _is_loopback(client[0]) and _is_loopback(named.strip("[]"))
    return here and _FORWARDED.isdisjoint(headers) and not _is_of_another_site(headers, host)


def _is_of_another_site(headers: Mapping[bytes, str], host: str) -> bool:
    """Whether a page of another site asks; links from there may lead here."""
    origin = headers.get(b"origin")
    if origin is not None and origin.partition("://")[2] != host:
        return True
    site = headers.get(b"sec-fetch-site", "none")
    return site not in ("none", "same-origin") and headers.get(b"sec-fetch-mode") != "navigate"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
