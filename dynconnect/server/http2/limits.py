"""Every limit of the protocol: its name, its default and its reason, in one table.

A limit that is met ends as little as possible: the call where one call is at fault, the connection (GOAWAY
with ENHANCE_YOUR_CALM) where the peer floods it, never the process. Times are seconds; ``NEVER`` turns a time
off.
"""

from dataclasses import dataclass

from dynconnect.server.http2.frames import FRAME_SIZE, INITIAL_WINDOW, MAX_WINDOW

NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may cost; a comment beside each says why it is what it is."""

    # --- streams --------------------------------------------------------------------------------------------
    # Announced as SETTINGS_MAX_CONCURRENT_STREAMS; one more is REFUSED_STREAM, which a client may safely
    # retry. 100 is common for browsers; RPC clients put every stream of a process on one connection.
    max_concurrent_streams: int = 1000
    # Applications that still run although their stream has ended: background work after an answer, cleaning
    # up after a reset. Without it, opening and resetting streams starts any number of tasks (CVE-2023-44487).
    max_lingering: int = 1000
    # Streams that we reset and whose frames may still be under way (RFC 9113, 5.1 "closed"); 100 bytes each.
    max_remembered_resets: int = 1000

    # --- memory ---------------------------------------------------------------------------------------------
    # Unread request body per stream: 80 Mbit/s at 100 ms of distance. At least the protocol's initial 65,535.
    stream_window: int = 1 << 20
    # Unread request bodies per connection: sixteen handlers that never read until neighbours notice.
    connection_window: int = 1 << 24
    # Output that waits for one write, and the most that a stream adds before the others have their turn.
    write_bytes: int = 1 << 16
    # Answers to PING, SETTINGS and errors that pile up when the peer sends but does not read (CVE-2019-9512).
    unread_control_bytes: int = 1 << 16

    # --- request heads --------------------------------------------------------------------------------------
    # Announced as SETTINGS_MAX_HEADER_LIST_SIZE, counted as there; above it the answer is 431. Twice as much
    # ends the connection while it is being inflated: a block of 64 KiB can name 256 MiB (HPACK bomb,
    # CVE-2016-6581).
    header_list_bytes: int = 1 << 16
    # The most fields in a head; above it the answer is 431. Small fields cost far more to handle than their
    # bytes.
    header_count: int = 256
    # A head on the wire. A longer one cannot be skipped (HPACK is stateful), so it ends the connection.
    header_block_bytes: int = 1 << 17
    # Frames of one head; a block of full frames needs eight (CONTINUATION flood, CVE-2024-27316).
    header_frames: int = 16
    # Decoded heads that are kept to be recognised when the same block comes again.
    cached_heads: int = 64

    # --- floods ---------------------------------------------------------------------------------------------
    # Streams that end in RST_STREAM, sent by the peer (CVE-2023-44487) or provoked by its errors
    # (MadeYouReset, CVE-2025-8671). nghttp2 allows the same; 1,000 calls cancelled at once are an honest
    # client.
    reset_burst: int = 1000
    reset_rate: float = 33.0
    # Frames that carry no work: PING, PRIORITY, WINDOW_UPDATE, empty DATA, unknown types (CVE-2019-9512 to
    # 9518). Each request and each DATA frame that we send pays for three of them, as gRPC clients send a PING
    # and two WINDOW_UPDATEs for each; so this limits those that come with nothing.
    overhead_burst: int = 1000
    overhead_rate: float = 100.0
    # A SETTINGS frame is as dear as this many others: it is acknowledged and touches every stream
    # (CVE-2019-9515).
    settings_weight: int = 10
    # A head that is answered 431: 4 KiB of table references take ten milliseconds to find out.
    refused_weight: int = 50

    # --- time -----------------------------------------------------------------------------------------------
    # From an answer that is complete before its request to the RST_STREAM that says so (RFC 9113, 8.1). Most
    # requests end by themselves in that time, and some clients take this reset for a failure (curl 7.88).
    early_reset_delay: float = 0.25
    # Until the client's preface and SETTINGS are there; slow loris, and port scanners.
    preface_timeout: float = 10.0
    # From HEADERS to the end of their CONTINUATION: no other frame may come between, so all streams wait.
    head_timeout: float = 10.0
    # Without a stream. Ten minutes: a gRPC channel is meant to sleep, and waking it costs a round trip or
    # two.
    idle_timeout: float = 600.0
    # A PING when nothing was heard for so long and streams are open; shorter than what NATs and proxies
    # forget.
    keepalive_interval: float = 60.0
    # For its answer; gRPC's default.
    keepalive_timeout: float = 20.0
    # A response whose reader makes no progress; then the stream ends, or the connection if its socket is
    # stuck.
    stall_timeout: float = 300.0
    # A connection's age, for balancers that spread new connections only; a healthy one need not end.
    max_age: float = NEVER
    # For the calls of a connection that became too old.
    max_age_grace: float = NEVER
    # Between the two GOAWAYs of a graceful end, unless the client's PING answer comes first (RFC 9113, 6.8).
    goaway_timeout: float = 5.0
    # Between a GOAWAY for an error and the end, so that unread input does not destroy it on its way.
    linger: float = 1.0

    def __post_init__(self) -> None:
        # Smaller windows would be overrun by an honest client that has not seen our SETTINGS yet (6.9.3).
        if not INITIAL_WINDOW <= self.stream_window <= self.connection_window <= MAX_WINDOW:
            raise ValueError(f"need {INITIAL_WINDOW} <= stream_window <= connection_window <= {MAX_WINDOW}")
        if self.header_block_bytes < FRAME_SIZE:
            raise ValueError(f"header_block_bytes must hold one frame of {FRAME_SIZE}")


DEFAULT = Limits()
