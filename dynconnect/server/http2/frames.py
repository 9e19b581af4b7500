"""HTTP/2 frames as bytes: the numbers of RFC 9113, and how each frame that we send is written.

Nothing here knows a connection. Incoming frames are cut in ``connection.py``, without frame objects.
Source: RFC 9113 sections 4.1, 6, 7 and 11.
"""

from enum import IntEnum
from struct import Struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # section 3.4

# Section 4.1: 24 bits of length (read as 16 + 8), type, flags, a reserved bit and 31 bits of stream
# identifier.
HEADER = Struct(">HBBBL")
HEADER_SIZE = 9
STREAM_MASK = 0x7FFF_FFFF

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20

MAX_WINDOW = 2**31 - 1  # section 6.9.1
MAX_STREAM_ID = 2**31 - 1
INITIAL_WINDOW = 65535  # section 6.9.2, until a SETTINGS frame says otherwise
FRAME_SIZE = 16384  # section 4.2: what every peer takes, and all that we take
LARGEST_FRAME_SIZE = 2**24 - 1


class Code(IntEnum):
    """Error codes of section 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class FatalError(Exception):
    """A connection error (section 5.4.1): GOAWAY with *code*, then the end of the connection."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


class StreamError(Exception):
    """A stream error (section 5.4.2): RST_STREAM with *code*; the connection and its other streams go on."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


def header(size: int, kind: int, flags: int, stream: int) -> bytes:
    """The nine bytes before a payload of *size* bytes (section 4.1)."""
    return HEADER.pack(size >> 8, size & 0xFF, kind, flags, stream)


def head(stream: int, block: bytes, flags: int, frame_size: int) -> bytes:
    """HEADERS, and CONTINUATION where *block* is longer than *frame_size* (sections 6.2 and 6.10)."""
    size = len(block)
    if size <= frame_size:
        return HEADER.pack(size >> 8, size & 0xFF, HEADERS, flags | END_HEADERS, stream) + block
    parts = [header(frame_size, HEADERS, flags, stream), block[:frame_size]]
    for at in range(frame_size, size, frame_size):
        part = block[at : at + frame_size]
        last = END_HEADERS if at + frame_size >= size else 0
        parts += header(len(part), CONTINUATION, last, stream), part
    return b"".join(parts)


def rst_stream(stream: int, code: int) -> bytes:
    """Section 6.4."""
    return header(4, RST_STREAM, 0, stream) + code.to_bytes(4)


SETTINGS_ACK = header(0, SETTINGS, ACK, 0)


def ping(payload: bytes, flags: int = 0) -> bytes:
    """Section 6.7."""
    return header(8, PING, flags, 0) + payload


def goaway(last_stream: int, code: int, text: str = "") -> bytes:
    """Section 6.8; *text* is debug data for whoever reads the peer's log."""
    payload = last_stream.to_bytes(4) + code.to_bytes(4) + text.encode()
    return header(len(payload), GOAWAY, 0, 0) + payload


def window_update(stream: int, increment: int) -> bytes:
    """Section 6.9."""
    return header(4, WINDOW_UPDATE, 0, stream) + increment.to_bytes(4)


def unpad(payload: bytes) -> bytes:
    """*payload* of a PADDED frame without its padding (section 6.1).

    Raises:
        FatalError: PROTOCOL_ERROR if the padding is as long as what holds it.
    """
    if not payload or payload[0] >= len(payload):
        raise FatalError(Code.PROTOCOL_ERROR, "padding is longer than its frame")
    return payload[1 : len(payload) - payload[0]]
