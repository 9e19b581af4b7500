"""Flow control (RFC 9113, sections 5.2 and 6.9): what the peer may send us, and what we may send it."""

from dynconnect.server.http2.frames import MAX_WINDOW, Code, FatalError


class Inbound:
    """Credit of the peer for one stream, or for the whole connection.

    DATA takes it; it is given back when the application has consumed the bytes, so that what waits in memory
    is never more than the window.
    """

    __slots__ = ("_owed", "_threshold", "left")

    def __init__(self, size: int) -> None:
        self.left = size
        self._owed = 0
        # Half a window: the peer never runs dry while it is read, and updates stay few.
        self._threshold = size >> 1

    def give(self, size: int) -> int:
        """*size* bytes were consumed: the increment to send now, or 0 to keep it for later."""
        self._owed += size
        if self._owed < self._threshold:
            return 0
        increment, self._owed = self._owed, 0
        self.left += increment
        return increment


def grown(window: int, increment: int) -> int:
    """An outbound window after a WINDOW_UPDATE; it may have been negative (section 6.9.2).

    Raises:
        FatalError: FLOW_CONTROL_ERROR above 2**31-1 (section 6.9.1); the caller knows whose window it was.
    """
    if window + increment > MAX_WINDOW:
        raise FatalError(Code.FLOW_CONTROL_ERROR, "flow-control window above 2**31-1")
    return window + increment


def increment(payload: bytes) -> int:
    """The 31 bits of a WINDOW_UPDATE (section 6.9).

    Raises:
        FatalError: FRAME_SIZE_ERROR unless it is four bytes.
    """
    if len(payload) != 4:
        raise FatalError(Code.FRAME_SIZE_ERROR, "WINDOW_UPDATE is not 4 bytes")
    return int.from_bytes(payload) & MAX_WINDOW
