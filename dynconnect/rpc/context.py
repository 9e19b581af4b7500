"""What a handler may know and say about its call, besides messages."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, TypeAlias

from dynconnect.rpc.metadata import Metadata

Address: TypeAlias = tuple[str, int | None]
"""A host and a port; a Unix socket has a path and no port."""


class MethodInfo(Protocol):
    """An RPC as the schema declares it: what the words in this room need of it."""

    @property
    def name(self) -> str:
        """The RPC's own name, such as ``"Say"``."""

    @property
    def service_name(self) -> str:
        """The full name of its service."""

    @property
    def full_name(self) -> str:
        """``package.Service.Method``, as descriptors and logs name it."""

    @property
    def client_streaming(self) -> bool:
        """Whether the client sends any number of messages."""

    @property
    def server_streaming(self) -> bool:
        """Whether the server does."""

    @property
    def input(self) -> Callable[..., Any]:  # Any: a message class made at run time
        """The class of requests."""

    @property
    def output(self) -> Callable[..., Any]:  # Any: as above
        """The class of responses."""

    def as_output(self, value: object) -> Any:  # Any: as above
        """*value*, a message or a mapping, as an `output`."""


class Context:
    """One call, as its handler and interceptors see it.

    The names are those of connectrpc's RequestContext for Python, so that a handler moves by cut
    and paste.
    """

    __slots__ = (
        "_client",
        "_deadline",
        "_id",
        "_response_headers",
        "_response_trailers",
        "_send_headers",
        "_server",
        "generation",
        "http_method",
        "method",
        "protocol",
        "query_string",
        "request_headers",
    )

    def __init__(
        self,
        method: MethodInfo,
        protocol: str,
        request_headers: Metadata,
        *,
        http_method: str = "POST",
        query_string: str = "",
        response_headers: Metadata | None = None,
        response_trailers: Metadata | None = None,
        client: Address | None = None,
        server: Address | None = None,
        generation: int = 0,
        send_headers: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.method = method
        self.protocol = protocol
        """``"connect"``, ``"grpc"`` or ``"grpcweb"``."""
        self.request_headers = request_headers
        self.http_method = http_method
        self.query_string = query_string
        """The raw query of a Connect GET."""
        self._response_headers = response_headers
        self._response_trailers = response_trailers
        self._client = client
        self._server = server
        self.generation = generation
        """The number of the generation that answers this call."""
        self._send_headers = send_headers
        self._deadline: float | None = None
        self._id = ""

    @property
    def response_headers(self) -> Metadata:
        """Leading metadata of the answer, to be added to."""
        if self._response_headers is None:
            self._response_headers = Metadata()
        return self._response_headers

    @property
    def response_trailers(self) -> Metadata:
        """Trailing metadata of the answer, to be added to."""
        if self._response_trailers is None:
            self._response_trailers = Metadata()
        return self._response_trailers

    @property
    def answers_bare(self) -> bool:
        """Whether the answer has no metadata so far, and nobody holds any to add to."""
        return self._response_headers is None and self._response_trailers is None

    @property
    def client_address(self) -> str | None:
        """``host:port`` of the peer, where the server knows it."""
        return _text(self._client)

    @property
    def server_address(self) -> str | None:
        """``host:port`` of this end of the connection, or the path of its socket."""
        return _text(self._server)

    def start_deadline(self, timeout: float | None) -> None:
        """Let *timeout* seconds count from now; None is no deadline."""
        self._deadline = None if timeout is None else time.monotonic() + timeout

    @property
    def timeout_ms(self) -> float | None:
        """Milliseconds left until the deadline, never below 0; None if the caller set none."""
        if self._deadline is None:
            return None
        return max(0.0, (self._deadline - time.monotonic()) * 1000)

    def send_headers_by(self, send: Callable[[], Awaitable[None]] | None) -> None:
        """From now on `send_headers` awaits *send*, or does nothing."""
        self._send_headers = send

    async def send_headers(self) -> None:
        """Send the response headers now, before the first message; later changes to them are lost.

        A Connect unary call can't: its HTTP status is its outcome. There this does nothing.
        """
        if self._send_headers is not None:
            await self._send_headers()

    @property
    def id(self) -> str:
        """A short random name of this call, for the log."""
        if not self._id:
            self._id = secrets.token_hex(4)
        return self._id

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger that puts the method and the id of this call before each line."""
        logger = logging.getLogger(f"dynconnect.call.{self.method.service_name}")
        return _CallLog(logger, {"call": f"{self.method.name} {self.id}"})


def _text(address: Address | None) -> str | None:
    if address is None:
        return None
    host, port = address
    return host if port is None else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _CallLog(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        # Any: the signature of the class above it
        call = (self.extra or {})["call"]
        return f"[{call}] {msg}", kwargs
