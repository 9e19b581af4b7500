"""Interceptors of plugins: whether they are any, and how they go round a stream."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence

from dynconnect.plugins.discovery import Found, Plugins
from dynconnect.plugins.faults import fault
from dynconnect.plugins.locate import PluginError
from dynconnect.plugins.places import place_of
from dynconnect.plugins.shapes import Kind, kind_of
from dynconnect.rpc.handler import Interceptor, Stream
from dynconnect.schema.finding import Finding

_FORM = "def interceptor(stream) returns async def intercepted(requests, ctx), which yields responses"


def interceptor_fault(found: Found) -> Finding | None:
    """What is wrong with a function marked @interceptor, told without calling it."""
    where = place_of(found.value) or found.where
    if kind_of(found.value) is not Kind.PLAIN:
        what = (
            f"{_name(found)} takes and returns a stream: it is a plain def, not {kind_of(found.value).value}"
        )
        return Finding(where, what, _FORM)
    try:
        signature = inspect.signature(found.value)  # type: ignore[arg-type]  # callable, says its marker
        signature.bind(None)
    except ValueError:  # built in, without a signature
        return None
    except TypeError:
        return Finding(where, f"{_name(found)} is called with (stream), but takes {signature}", _FORM)
    return None


def interceptors_of(plugins: Plugins) -> tuple[Interceptor, ...]:
    """The interceptors in *plugins*, outermost first; every one is free of faults."""
    return tuple(_guarded(found, plugins) for found in plugins.found if found.mark.kind == "interceptor")


def intercepted(stream: Stream, interceptors: Sequence[Interceptor]) -> Stream:
    """*stream* inside *interceptors*, of which the first is the outermost.

    Raises:
        PluginError: if one of them raises, or returns what is no stream.
    """
    return functools.reduce(lambda inner, wrap: wrap(inner), reversed(interceptors), stream)


def _guarded(found: Found, plugins: Plugins) -> Interceptor:
    """The interceptor in *found*, whose failures are findings."""

    def guarded(stream: Stream) -> Stream:
        try:
            wrapped: Stream = found.value(stream)  # type: ignore[operator]  # callable, says its marker
        except (Exception, SystemExit) as error:
            raise PluginError([fault(error, plugins.space, found.where)]) from error
        if not callable(wrapped) or kind_of(wrapped) in (Kind.COROUTINE, Kind.GENERATOR):
            where = place_of(found.value) or found.where
            raise PluginError(
                [Finding(where, f"{_name(found)} returned {_said(wrapped)}, which is no stream", _FORM)]
            )
        return wrapped

    return guarded


def _name(found: Found) -> str:
    return getattr(found.value, "__qualname__", repr(found.value))


def _said(value: object) -> str:
    if not callable(value):
        return repr(value)
    return f"{getattr(value, '__name__', value)} ({kind_of(value).value})"
