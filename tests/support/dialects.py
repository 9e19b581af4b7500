"""The three protocols as a client writes and reads them, by their specifications and not by our code.

Strict where clients in the field are: an outcome must be there once and in its place, an error's JSON
has the members it may have, and nothing follows the end.
"""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass, field
from urllib.parse import unquote

from google.rpc.status_pb2 import Status

CODES = (
    *("ok", "canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists"),
    *("permission_denied", "resource_exhausted", "failed_precondition", "aborted", "out_of_range"),
    *("unimplemented", "internal", "unavailable", "data_loss", "unauthenticated"),
)
HTTP_STATUS = dict(
    zip(
        CODES,
        (200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401),
        strict=True,
    )
)
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """An answer as HTTP carries it."""

    status: int
    headers: Pairs
    body: bytes
    trailers: Pairs = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


@dataclass(frozen=True)
class Outcome:
    """What a call came to. *code* is Connect's spelling, or ``ok``."""

    code: str
    message: str = ""
    messages: tuple[bytes, ...] = ()
    details: tuple[tuple[str, bytes], ...] = ()
    headers: dict[str, list[str]] = field(default_factory=dict)
    trailers: dict[str, list[str]] = field(default_factory=dict)


class Connect:
    name = "connect"
    timeout = "connect-timeout-ms"

    def head(self, streaming: bool) -> dict[str, str]:
        kind = "application/connect+proto" if streaming else "application/proto"
        return {"content-type": kind, "connect-protocol-version": "1"}

    def until(self, seconds: float) -> dict[str, str]:
        return {self.timeout: str(round(seconds * 1000))}

    def pack(self, message: bytes, streaming: bool) -> bytes:
        return envelope(message) if streaming else message

    def unpack(self, piece: bytes, streaming: bool) -> list[bytes]:
        return [data for flags, data in frames(piece) if not flags & 2] if streaming else [piece]

    def read(self, answer: Answer, streaming: bool) -> Outcome:
        return _connect_stream(answer) if streaming else _connect_unary(answer)


class Grpc:
    name = "grpc"
    timeout = "grpc-timeout"
    content_type = "application/grpc+proto"

    def head(self, streaming: bool) -> dict[str, str]:
        return {"content-type": self.content_type, "te": "trailers"}

    def until(self, seconds: float) -> dict[str, str]:
        return {self.timeout: f"{round(seconds * 1000)}m"}

    def pack(self, message: bytes, streaming: bool) -> bytes:
        return envelope(message)

    def unpack(self, piece: bytes, streaming: bool) -> list[bytes]:
        return [data for flags, data in frames(piece) if not flags & 128]

    def read(self, answer: Answer, streaming: bool) -> Outcome:
        assert answer.status == 200
        assert answer.values("content-type") == [self.content_type]
        assert not answer.values("grpc-status"), "K7: the status is in the trailers and nowhere else"
        trailers, messages = self._split(answer)
        code, message, details = _grpc_status(trailers)
        return Outcome(
            code, message, tuple(messages), details, _custom(answer.headers), _custom(trailers, ("grpc-",))
        )

    def _split(self, answer: Answer) -> tuple[Pairs, list[bytes]]:
        found = frames(answer.body)
        assert not any(flags for flags, _ in found)
        return answer.trailers, [data for _, data in found]


class GrpcWeb(Grpc):
    name = "grpcweb"
    content_type = "application/grpc-web+proto"

    def head(self, streaming: bool) -> dict[str, str]:
        return {"content-type": self.content_type, "x-grpc-web": "1"}

    def _split(self, answer: Answer) -> tuple[Pairs, list[bytes]]:
        assert not answer.trailers
        *found, (last, block) = frames(answer.body)
        assert not any(flags for flags, _ in found)
        assert last == 128, "the last frame holds the trailers, never compressed"
        lines = block.decode("latin-1").split("\r\n")
        assert lines.pop() == "", "every line ends in CRLF"
        trailers = [tuple(line.split(": ", 1)) for line in lines]
        assert all(name == name.lower() for name, _ in trailers)
        return trailers, [data for _, data in found]


Dialect = Connect | Grpc | GrpcWeb
DIALECTS: tuple[Dialect, ...] = (Connect(), Grpc(), GrpcWeb())


def envelope(data: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(data)) + data


def frames(body: bytes) -> list[tuple[int, bytes]]:
    """The envelopes of a body that ends with one."""
    found = []
    while body:
        flags, size = struct.unpack_from(">BI", body)
        assert len(body) >= 5 + size, "the body ends inside an envelope"
        found.append((flags, body[5 : 5 + size]))
        body = body[5 + size :]
    return found


def _connect_unary(answer: Answer) -> Outcome:
    leading = [(name, value) for name, value in answer.headers if not name.startswith("trailer-")]
    trailing = [(name[8:], value) for name, value in answer.headers if name.startswith("trailer-")]
    metadata = {"headers": _custom(leading), "trailers": _custom(trailing)}
    if answer.status == 200:
        assert answer.values("content-type") == ["application/proto"]
        return Outcome("ok", messages=(answer.body,), **metadata)
    assert answer.values("content-type") == ["application/json"]
    assert not answer.values("content-encoding"), "K1"
    code, message, details = _connect_error(json.loads(answer.body))
    assert answer.status == HTTP_STATUS[code]
    return Outcome(code, message, (), details, **metadata)


def _connect_stream(answer: Answer) -> Outcome:
    assert answer.status == 200
    assert answer.values("content-type") == ["application/connect+proto"]
    *found, (last, data) = frames(answer.body)
    assert not any(flags for flags, _ in found)
    assert last == 2, "the last envelope, and no other, is the end"
    end = json.loads(data)
    assert end.keys() <= {"error", "metadata"}
    assert all(end.values()), "K3: what is empty is left out"
    code, message, details = _connect_error(end["error"]) if "error" in end else ("ok", "", ())
    messages = tuple(data for _, data in found)
    return Outcome(code, message, messages, details, _custom(answer.headers), end.get("metadata", {}))


def _connect_error(error: dict) -> tuple[str, str, tuple[tuple[str, bytes], ...]]:
    assert error.keys() <= {"code", "message", "details"}
    assert all(error.values()), "K3: what is empty is left out"
    assert error["code"] in CODES
    details = tuple((detail["type"], _unbase64(detail["value"])) for detail in error.get("details", ()))
    return error["code"], error.get("message", ""), details


def _grpc_status(trailers: Pairs) -> tuple[str, str, tuple[tuple[str, bytes], ...]]:
    names = [name for name, _ in trailers]
    assert names.count("grpc-status") == 1, "P2"
    assert names.count("grpc-message") <= 1, "P3"
    found = dict(trailers)
    code, message = CODES[int(found["grpc-status"])], unquote(found.get("grpc-message", ""), errors="strict")
    if "grpc-status-details-bin" not in found:
        return code, message, ()
    status = Status.FromString(_unbase64(found["grpc-status-details-bin"]))
    assert (CODES[status.code], status.message) == (code, message), "P4"
    return code, message, tuple((any_.type_url.rpartition("/")[2], any_.value) for any_ in status.details)


def _custom(pairs: Pairs, prefixes: tuple[str, ...] = ("grpc-", "connect-", "content-", "accept-")) -> dict:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        if not name.startswith(prefixes):
            found.setdefault(name, []).append(value)
    return found


def _unbase64(text: str) -> bytes:
    assert "=" not in text, "K2"
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
