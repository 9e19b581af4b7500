"""JSON as programs print it: one value after the other."""

from __future__ import annotations

import json


def values(text: str) -> list[object]:
    """The values in *text*."""
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found
