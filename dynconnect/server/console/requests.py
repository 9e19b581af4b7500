"""Requests of the explorer: an example of one, and what is wrong with one that a person writes."""

from __future__ import annotations

import hashlib
import random

from dynconnect.live.generation import Generation, Route
from dynconnect.rpc.errors import ConnectError
from dynconnect.schema.codec import Codec
from dynconnect.schema.json.errors import JsonError
from dynconnect.schema.json.options import JsonOptions
from dynconnect.schema.plausible import plausible

_STRICT = JsonOptions(strict=True)


def example(route: Route) -> bytes:
    """A request of *route*, made up by its fields, in JSON: the same one each time."""
    seed = hashlib.sha256(route.method.path.encode()).digest()
    made = plausible(route.method.input, random.Random(seed), brief=True)  # noqa: S311  nothing secret comes of it
    try:
        return route.codecs["json"].encode(made)
    except ConnectError:  # an Any of a type that is not in the schema, for example
        return b"{}"


def fault(generation: Generation, name: str, data: bytes) -> dict[str, object] | None:
    """What is wrong with the request *data* of the method *name*: where (fields, keys and indices), and what.

    It is the *name* there, or else the value. A field that the message does not have is a warning, where it
    would be ignored; None if all is well.
    """
    route = generation.routes.get(f"/{name}")
    if route is None:
        return {"level": "error", "steps": [], "name": False, "what": f"there is no method {name}"}
    found = _fault(route, route.codecs["json"], data)
    if found is not None:
        return {"level": "error", **found}
    found = _fault(route, generation.schema.codecs_with(_STRICT)["json"], data)
    return None if found is None else {"level": "warning", **found}


def _fault(route: Route, codec: Codec, data: bytes) -> dict[str, object] | None:
    try:
        codec.decode(data, route.method.input)
    except ConnectError as exc:
        cause = exc.__cause__
        if isinstance(cause, JsonError):
            return {"steps": cause.steps, "name": cause.of_name, "what": cause.what}
        return {"steps": [], "name": False, "what": str(cause or exc.message)}
    return None
