"""A generation: one schema with one set of handlers, immutable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from dynconnect.live.state import State
from dynconnect.plugins.discovery import Plugins
from dynconnect.plugins.interceptors import intercepted
from dynconnect.rpc.handler import Direct, Handler, Interceptor, Stream, direct_of, stream_of, unimplemented
from dynconnect.schema.codec import Codec
from dynconnect.schema.method import Method
from dynconnect.schema.schema import Schema

Remake: TypeAlias = Callable[[int, "Generation"], Awaitable["Generation"]]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call to one path goes.

    Attributes:
        stream: the handler inside all interceptors; every method has one, if only to say `unimplemented`.
        bound_by: ``path:line name`` of the handler; None if there is none.
        codecs: by name, ``proto`` and ``json``.
        code: a hash of what the handler does.
        lasting: whether it is the server's own, and its calls use nothing of any generation.
        direct: the handler itself, if it is unary and no interceptor is round it.
        mocked: whether it is a mock, for want of a handler.
    """

    method: Method
    stream: Stream
    bound_by: str | None
    codecs: Mapping[str, Codec]
    code: bytes = b""
    lasting: bool = False
    direct: Direct | None = None
    mocked: bool = False

    @classmethod
    def to(
        cls,
        handler: Handler | None,
        method: Method,
        interceptors: Sequence[Interceptor],
        codecs: Mapping[str, Codec],
        *,
        bound_by: str | None = None,
        code: bytes = b"",
        lasting: bool = False,
        mocked: bool = False,
    ) -> Route:
        """The route to *handler*; it says `unimplemented` without one.

        That is intercepted too: who may not call a method need not learn that it is missing.

        Raises:
            PluginError: an interceptor raises, or returns what is no stream.
        """
        stream = unimplemented if handler is None else stream_of(method, handler)
        direct = None
        if handler is not None and not (mocked or interceptors or method.streaming):
            direct = direct_of(method, handler)
        stream = intercepted(stream, interceptors)
        return cls(method, stream, bound_by, codecs, code, lasting, direct, mocked)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Generation:
    """All that a call needs and nothing that changes.

    Attributes:
        number: 1 for the first of a process.
        hash: of the schema's files and of the plugins' sources; equal content has an equal hash.
        routes: by HTTP path, ``/package.Service/Method``.
        interceptors: outermost first; they are in the routes already.
        plugins: the modules behind the handlers.
        state: what the plugins have set up.
        remake: makes a generation of a number that is the same once more and takes over from another; its
            modules must not have been closed.
    """

    number: int
    hash: str
    schema: Schema
    routes: Mapping[str, Route]
    interceptors: tuple[Interceptor, ...] = ()
    plugins: Plugins | None = field(default=None, repr=False)
    state: State = field(default_factory=State, repr=False)
    remake: Remake | None = field(default=None, repr=False)

    @property
    def bound_by(self) -> Mapping[str, str]:
        """``path:line name`` of the handler of each RPC that has one, by the RPC's path."""
        return {path: route.bound_by for path, route in self.routes.items() if route.bound_by is not None}

    @property
    def mocked(self) -> frozenset[str]:
        """The methods that are mocked, by path."""
        return frozenset(path for path, route in self.routes.items() if route.mocked)

    async def aclose(self) -> None:
        """Tear down what the plugins have set up, and let go of them, once no call runs in here any more."""
        try:
            await self.state.aclose()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the plugins' modules alone: enough if they have set up nothing."""
        if self.plugins is not None:
            self.plugins.close()
