"""What every HTTP server is told: where to listen, and what a connection may cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dynconnect.schema.finding import FindingsError


class StartError(FindingsError):
    """The server cannot start as it was told to: its address or its certificates are at fault."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, and how. Sizes are in bytes, times in seconds.

    Attributes:
        host: a name or an address; a name that has several addresses means all of them.
        port: 0 takes a free one.
        tls_cert: the certificate chain in PEM; None serves without TLS.
        tls_key: its private key in PEM; None if that is in *tls_cert* too.
        tls_client_ca: in PEM, the authorities one of which must have signed a client's certificate;
            None asks for no client certificate.
        grace: how long calls that run may go on once the server is told to stop.
        idle_timeout: how long a connection may have no call. Longer than the usual 60 to 600 s of the
            proxies in front: they must be the ones to close, because a call that is on its way to a
            connection just closed is lost.
        handshake_timeout: how long a client may take to agree on TLS.
        head_max_bytes: the largest request head. The message of a Connect GET stands in it.
        streams_max: how many calls one HTTP/2 connection may have at a time; long streams are common.
        backlog: how many connections may wait to be accepted.
        http2: whose HTTP/2: ``own``, or that of the server, ``hypercorn``, to see whether a fault is ours.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    grace: float = 30.0
    idle_timeout: float = 660.0
    handshake_timeout: float = 10.0
    head_max_bytes: int = 64 * 1024
    streams_max: int = 1000
    backlog: int = 1024
    http2: Literal["own", "hypercorn"] = "own"
