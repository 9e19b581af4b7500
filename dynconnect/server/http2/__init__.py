"""Our HTTP/2 server protocol: an ASGI application per stream, and every limit that the open net asks for.

It knows HTTP/2 (RFC 9113) and ASGI, and nothing of RPC. Only ``hpack``'s decoder is not our own.
"""

from dynconnect.server.http2.connection import Connection
from dynconnect.server.http2.frames import FatalError
from dynconnect.server.http2.limits import DEFAULT, NEVER, Limits

__all__ = ["DEFAULT", "NEVER", "Connection", "FatalError", "Limits"]
