"""What a new generation changes, in words; they hold nothing of either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dynconnect.live.generation import Generation
from dynconnect.schema import changes


def describe(old: Generation, new: Generation) -> tuple[str, ...]:
    """Each change: those of handlers, as in ``Say changed``, then those of the schema."""
    return (*_of_handlers(old, new), *changes.changes(old.schema, new.schema))


def _of_handlers(old: Generation, new: Generation) -> Iterator[str]:
    short = Counter(route.method.name for route in new.routes.values())
    for path, route in new.routes.items():
        method = route.method
        name = method.name if short[method.name] == 1 else method.full_name
        before = old.routes.get(path)
        if before is None:
            if route.bound_by is None:
                yield f"{name} has no handler"
        elif before.bound_by is None and route.bound_by is not None:
            yield f"{name} has a handler"
        elif before.bound_by is not None and route.bound_by is None:
            yield f"{name} has no handler any more"
        elif before.code != route.code:
            yield f"{name} changed"
