"""What a protocol is: a way to carry messages and one outcome over HTTP.

A protocol core does no input or output. It turns the head of a request into an `Exchange`, and the
exchange turns bytes into messages and messages into events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Protocol as Interface

from dynconnect.rpc.errors import ConnectError
from dynconnect.rpc.limits import Limits
from dynconnect.rpc.metadata import Metadata, Pairs
from dynconnect.wire.compression import Compression, negotiate
from dynconnect.wire.events import Event, Request

_AGREED_MAX = 64
"""The same few headers come with every call; the bound is for clients that make up new ones."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a protocol offers on every call.

    Attributes:
        limits: see `Limits`.
        compressions: by name, in the order they are announced.
        require_version: whether a Connect call must name the version of the protocol.
        names: the names of *compressions*, as the accept headers list them.
        agree: `compression.negotiate` among *compressions*; it remembers, as few answers differ.
    """

    limits: Limits
    compressions: Mapping[str, Compression]
    require_version: bool = False
    names: str = field(init=False)
    agree: Callable[[str, str | None], tuple[Compression | None, Compression | None]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", ", ".join(self.compressions))
        agree = lru_cache(maxsize=_AGREED_MAX)(partial(negotiate, self.compressions))
        object.__setattr__(self, "agree", agree)


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What a client may say about a call.

    Attributes:
        timeout: seconds that the server is told it has; no clock runs here.
        metadata: leading metadata; reserved names are dropped.
        compress: what requests are packed with; None is nothing.
        no_side_effects: whether the method only reads, so that Connect may ask by GET.
    """

    timeout: float | None = None
    metadata: Mapping[str, str] | Pairs = ()
    compress: Compression | None = None
    no_side_effects: bool = False


class Exchange(Interface):
    """One call as the server side of a protocol sees it.

    Call `start` first. Then feed the request's body to `receive` and `receive_end`, in any order
    with `send`; finish with `end`. Every method may raise ConnectError, for a peer that breaks the
    protocol or for an answer that the protocol can't carry, and that error is a valid argument of
    `end`. Nothing follows the events of `end`.
    """

    codec: str
    """The name of the codec of both directions."""
    timeout: float | None
    """Seconds the caller is prepared to wait, once `start` has returned."""
    response_headers: Metadata
    """Leading metadata: what is here when the head is made goes into it."""
    response_trailers: Metadata
    """Trailing metadata: what is here at the end goes with the outcome."""

    def start(self) -> None:
        """Read the protocol's own headers."""

    def receive(self, data: bytes) -> Iterable[bytes]:
        """Take bytes of the body; the messages they complete.

        Exhaust it before anything else is received.
        """

    def receive_end(self) -> Iterable[bytes]:
        """Take the end of the body; the messages it completes."""

    def head(self) -> Sequence[Event]:
        """The head, if it has not gone out and does not depend on the outcome."""

    def send(self, message: bytes) -> Sequence[Event]:
        """Answer with one message."""

    def end(self, error: ConnectError | None) -> Sequence[Event]:
        """Answer with the outcome."""


class Call(Interface):
    """One call as the client side of a protocol sees it: the mirror of `Exchange`.

    Send `request`, then what `send` returns; feed every event of the answer to `receive`. After
    `End`, `error` is the outcome. An answer that breaks the protocol sets it at once, and what
    follows is ignored. How many messages a method may have is for the caller to check.
    """

    request: Request
    """The head. Where the client sends one message, it is complete only after `send`: Connect may put
    that message, and what it is packed with, into the head."""
    error: ConnectError | None
    response_headers: Metadata
    """All headers of the answer."""
    response_trailers: Metadata
    """Trailing metadata, complete after `End`."""

    def send(self, message: bytes) -> bytes:
        """The bytes of one more message.

        Raises:
            ConnectError: RESOURCE_EXHAUSTED if *message* is over the limit of what is sent.
        """

    def receive(self, event: Event) -> Iterator[bytes]:
        """Take one event of the answer; yield the messages it completes.

        Exhaust it before the next event.
        """


class Protocol(Interface):
    """A wire protocol: its name, the content types it claims, and its two sides."""

    name: str
    """As handlers see it: ``connect``, ``grpc`` or ``grpcweb``."""
    needs_trailers: bool
    """Whether it works only where HTTP trailers do."""

    def content_types(self, codecs: Sequence[str], *, streaming: bool) -> Mapping[str, str]:
        """The types it claims, in lower case and without parameters, each with its codec."""

    def open(self, request: Request, codec: str, *, streaming: bool) -> Exchange:
        """The server's side of the call that *request* begins."""

    def call(self, path: str, codec: str, options: CallOptions, *, streaming: bool) -> Call:
        """The client's side of a call to *path*, ``/package.Service/Method``.

        Raises:
            ConnectError: INTERNAL if HTTP can't carry the metadata in *options*.
        """
