"""One line for the shell that calls a real method of the schema that is served."""

from __future__ import annotations

import json
import shlex
import struct
from collections.abc import Container, Iterable
from typing import cast

from google.protobuf.descriptor import Descriptor

from dynconnect.cli.sample import sample
from dynconnect.schema.method import Method
from dynconnect.server.engines.endpoint import Endpoint


def line(methods: Iterable[Method], bound: Container[str], endpoint: Endpoint) -> str | None:
    """A curl command for the method that shows most, as POSIX shells read it; None without methods.

    What has a handler is in *bound*, by its path.
    For a client certificate its names of files are made up: only the client knows them.
    """
    method = min(methods, key=lambda each: _effort(each, bound), default=None)
    if method is None:
        return None
    body = json.dumps(sample(cast(Descriptor, method.input.DESCRIPTOR)), ensure_ascii=False)
    command = ["curl", *_tls(endpoint)]
    url = f"{endpoint.url}{method.path}"
    if not method.streaming:
        return shlex.join([*command, "--header", "Content-Type: application/json", "--data", body, url])
    # In a stream even a single message stands in an envelope: a zero byte, then its size in four.
    head = "".join(f"\\{byte:03o}" for byte in struct.pack(">BI", 0, len(body.encode())))
    command += ["--header", "Content-Type: application/connect+json", "--data-binary", "@-"]
    command += ["--no-buffer", "--output", "-", url]
    return f"{shlex.join(['printf', f'{head}%s', body])} | {shlex.join(command)}"


def _effort(method: Method, bound: Container[str]) -> tuple[bool, ...]:
    """How little *method* shows to a newcomer: least if it has a handler and the simplest shape."""
    return (method.path not in bound, method.streaming, method.client_streaming)


def _tls(endpoint: Endpoint) -> list[str]:
    if endpoint.tls is None:
        return []
    # The address is this machine's own, and certificates in development are rarely signed for it.
    options = ["--insecure"]
    if endpoint.settings.tls_client_ca is not None:
        options += ["--cert", "client.pem", "--key", "client-key.pem"]
    return options
