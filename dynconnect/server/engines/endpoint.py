"""The place where a server listens, opened before anything is served.

Opened early, a port that is taken or a key that does not fit is said before the start banner, a
port of 0 is known when that banner is written, and several processes may share the sockets.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias

from dynconnect.schema.finding import Finding, FindingsError
from dynconnect.server.engines import tls
from dynconnect.server.engines.settings import Settings, StartError

_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  names, not a bind
_REASONS = {
    errno.EADDRINUSE: (
        "the port is in use",
        "stop the program that has it, or choose another port (0: any free one)",
    ),
    errno.EACCES: ("ports below 1024 are kept for the administrator", "choose a port from 1024 on"),
    errno.EADDRNOTAVAIL: (
        "this machine has no such address",
        "127.0.0.1 serves this machine alone, 0.0.0.0 every network",
    ),
}


# Any: a socket address has two members or four, as its family has it.
_Address: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Open sockets that listen, with what is spoken on them. Leaving its context closes them.

    Attributes:
        port: of all its sockets; the real one if 0 was asked for.
    """

    settings: Settings
    port: int
    sockets: tuple[socket.socket, ...]
    tls: ssl.SSLContext | None

    @property
    def url(self) -> str:
        """Where a client on this machine finds it, without a slash at the end."""
        host = self.settings.host
        host = "localhost" if host in _EVERYWHERE else f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def close(self) -> None:
        """Stop listening."""
        _close(self.sockets)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_endpoint(settings: Settings) -> Endpoint:
    """Listen where *settings* say.

    Raises:
        StartError: with every finding, of the certificates and of the address.
    """
    findings: list[Finding] = []
    context = None
    try:
        context = tls.context_of(settings)
    except FindingsError as exc:
        findings += exc.findings
    sockets: tuple[socket.socket, ...] = ()
    try:
        sockets = _listen(settings)
    except OSError as exc:
        findings.append(_explain(exc, settings))
    if findings:
        _close(sockets)
        raise StartError(findings)
    return Endpoint(settings, sockets[0].getsockname()[1], sockets, context)


def _listen(settings: Settings) -> tuple[socket.socket, ...]:
    """A socket for each address of the host; all have the port of the first."""
    sockets: list[socket.socket] = []
    port = settings.port
    addresses = _addresses(settings.host)
    try:
        for family, address in addresses:
            try:
                sock = _listen_at(
                    family, (address[0], port, *address[2:]), settings, alone=len(addresses) == 1
                )
            except OSError as exc:
                # A name may have an address of a family that is switched off here.
                if sockets and exc.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    continue
                raise
            sockets.append(sock)
            port = sock.getsockname()[1]
    except OSError:
        _close(sockets)
        raise
    return tuple(sockets)


def _addresses(host: str) -> list[tuple[int, _Address]]:
    """The families and addresses of *host*, IPv4 first: its address is what most clients try."""
    found = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    pairs = dict.fromkeys((int(family), address) for family, _, _, _, address in found)
    return sorted(pairs, key=lambda pair: pair[0] != socket.AF_INET)


def _listen_at(family: int, address: _Address, settings: Settings, *, alone: bool) -> socket.socket:
    # Named outright: asyncio switches Nagle's algorithm off only for sockets that say they are TCP,
    # and with it on, an answer of two small writes waits 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            # So that a restart need not wait for old connections. Elsewhere it would share the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" alone takes IPv4 as well; beside a socket for IPv4 it must not.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not alone)
        sock.settimeout(0)
        sock.bind(address)
        sock.listen(settings.backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _close(sockets: Iterable[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def _explain(exc: OSError, settings: Settings) -> Finding:
    where = f"{settings.host}:{settings.port}"
    if isinstance(exc, socket.gaierror):
        return Finding(where, "there is no host of this name", _REASONS[errno.EADDRNOTAVAIL][1])
    what, hint = _REASONS.get(exc.errno or 0, (f"can't listen here: {exc.strerror or exc}", ""))
    return Finding(where, what, hint)
