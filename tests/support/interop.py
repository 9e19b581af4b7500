"""What clients of others send to the service of interop.proto, and what its plugin answers."""

from __future__ import annotations

EVERYTHING = {
    "big": "-9223372036854775808",
    "bigger": "18446744073709551615",
    "ratio": 0.1,
    "data": "AP+A",
    "text": "☃ é\n",
    "color": "COLOR_GREEN",
    "at": "2026-01-02T03:04:05.678Z",
    "counts": {"a": 1, "b": -2},
    "children": [{"text": "child"}, {}],
    "flag": False,
    "maybe": 0,
}
MESSAGE = "no ☃ at 100%\n"
"""Of its error, which is not_found."""
DETAILS = [["interop.v1.Missing", "0a03e29883"], ["google.protobuf.Timestamp", "085a"]]
"""Each with the bytes of the message: ``{name: "☃"}`` and ``{seconds: 90}``."""
