"""What a request asks for: a method by a protocol, or something that HTTP itself refuses.

Source: Connect protocol, "Unary-Request" and "Error Codes"; gRPC over HTTP/2, "Requests".
"""

from __future__ import annotations

from typing import NamedTuple

from dynconnect.live.generation import Route
from dynconnect.wire.choose import Choice, Chooser
from dynconnect.wire.events import Request, Response


class Match(NamedTuple):
    """A request that is a call. *route* is None for a method that does not exist."""

    route: Route | None
    choice: Choice


class Router:
    """Finds the method and the protocol of a request.

    Args:
        chooser: which protocols there are.
        http1_bidi: whether bidirectional streams are served over HTTP/1.1.
    """

    def __init__(self, chooser: Chooser, *, http1_bidi: bool) -> None:
        self._chooser = chooser
        self._http1_bidi = http1_bidi

    def match(self, route: Route | None, request: Request, *, trailers: bool) -> Match | Response | None:
        """The call that *request* begins, the answer that refuses it, or None if it is no RPC's path.

        Args:
            route: that of its path; None if there is none.
            request: its head.
            trailers: whether the server can send HTTP trailers.
        """
        if route is None:
            found = self._chooser.without_method(request.headers.get("content-type", ""))
        else:
            chosen = self._choose(route, request)
            if isinstance(chosen, Response):
                return chosen
            found = chosen
        if found is None:
            return None
        # What we don't know is treated as HTTP/1.1, which promises least.
        old = not request.http_version.startswith(("2", "3"))
        if found.protocol.needs_trailers and (old or not trailers):
            return Response(505, _EMPTY)
        if route is not None and old and _is_bidi(route) and not self._http1_bidi:
            return Response(505, (*_EMPTY, ("connection", "close")))
        return Match(route, found)

    def _choose(self, route: Route, request: Request) -> Choice | Response:
        streaming = route.method.streaming
        if request.method == "POST":
            kind = request.headers.get("content-type", "")
            found = self._chooser.post(kind, streaming=streaming)
        elif request.method == "GET" and route.method.no_side_effects and not streaming:
            found = None if _has_body(request) else self._chooser.get(request.query)
        else:
            return Response(405, (("allow", _allowed(route)), *_EMPTY))
        if found is None:
            return Response(415, (("accept-post", self._chooser.accepted(streaming=streaming)), *_EMPTY))
        return found


_EMPTY = (("content-length", "0"),)


def _allowed(route: Route) -> str:
    return "GET, POST" if route.method.no_side_effects and not route.method.streaming else "POST"


def _has_body(request: Request) -> bool:
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _is_bidi(route: Route) -> bool:
    return route.method.client_streaming and route.method.server_streaming
