"""Limits: how much a peer may make us hold or do, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may cost. Sizes are in bytes, times in seconds.

    Attributes:
        read_max_bytes: the largest message accepted, after decompression; gRPC's customary 4 MiB.
        send_max_bytes: the largest message sent, before compression; None is no limit.
        compress_min_bytes: smaller messages are sent as they are: gzip's own frame costs 18 bytes
            and both sides' time.
        buffer_max_bytes: how much of a request is read ahead of its handler, so that a server which
            shares one queue between calls is not held up by a call that does not read.
        drain_max_bytes: how much of a request is read and dropped after an early answer, so that the
            client gets to read that answer.
        drain_timeout: how long that may take.
        write_timeout: how long the outcome may wait for a client that does not read, once the
            deadline has passed.
    """

    read_max_bytes: int = 4 * 1024 * 1024
    send_max_bytes: int | None = None
    compress_min_bytes: int = 256
    buffer_max_bytes: int = 1024 * 1024
    drain_max_bytes: int = 16 * 1024 * 1024
    drain_timeout: float = 1.0
    write_timeout: float = 5.0
