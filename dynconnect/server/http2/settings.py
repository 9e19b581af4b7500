"""SETTINGS: ours as they are sent, the peer's as they are checked (RFC 9113, section 6.5)."""

from collections.abc import Iterator
from enum import IntEnum

from dynconnect.server.http2 import frames
from dynconnect.server.http2.frames import Code, FatalError
from dynconnect.server.http2.limits import Limits

TABLE_SIZE = 4096  # the initial SETTINGS_HEADER_TABLE_SIZE


class Setting(IntEnum):
    """Names of section 6.5.2."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


# What each may be, and the error if it is not; those without a line are only of use to servers, or unknown.
_RANGES: dict[int, tuple[int, int, Code]] = {
    Setting.ENABLE_PUSH: (0, 1, Code.PROTOCOL_ERROR),
    Setting.INITIAL_WINDOW_SIZE: (0, frames.MAX_WINDOW, Code.FLOW_CONTROL_ERROR),
    Setting.MAX_FRAME_SIZE: (frames.FRAME_SIZE, frames.LARGEST_FRAME_SIZE, Code.PROTOCOL_ERROR),
}
_ANY = (0, 2**32 - 1, Code.PROTOCOL_ERROR)


def ours(limits: Limits) -> bytes:
    """The SETTINGS frame that we begin with."""
    values = {
        Setting.MAX_CONCURRENT_STREAMS: limits.max_concurrent_streams,
        Setting.INITIAL_WINDOW_SIZE: limits.stream_window,
        Setting.MAX_HEADER_LIST_SIZE: limits.header_list_bytes,
    }
    payload = b"".join(name.to_bytes(2) + value.to_bytes(4) for name, value in values.items())
    return frames.header(len(payload), frames.SETTINGS, 0, 0) + payload


def parse(payload: bytes) -> Iterator[tuple[int, int]]:
    """Each setting of a frame in turn, with its value.

    Raises:
        FatalError: FRAME_SIZE_ERROR for a torn one; for a value that may not be, as section 6.5.2 says.
    """
    if len(payload) % 6:
        raise FatalError(Code.FRAME_SIZE_ERROR, "SETTINGS is not a multiple of 6 bytes")
    for at in range(0, len(payload), 6):
        name, value = int.from_bytes(payload[at : at + 2]), int.from_bytes(payload[at + 2 : at + 6])
        low, high, code = _RANGES.get(name, _ANY)
        if not low <= value <= high:
            raise FatalError(code, f"{Setting(name).name} of {value}")
        yield name, value
