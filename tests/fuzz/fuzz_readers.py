"""Anything at all for what reads a peer's or a user's bytes: each refuses in its own way, or reads.

python tests/fuzz/fuzz_readers.py [options of libFuzzer]
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dynconnect.wire", "dynconnect.schema"]):
    from dynconnect.rpc.errors import ConnectError
    from dynconnect.schema.content import NotASetError, files_of
    from dynconnect.schema.finding import SchemaError
    from dynconnect.schema.schema import Schema, system
    from dynconnect.schema.sources import Source
    from dynconnect.wire.envelope import COMPRESSED, Reader, compressed_max_bytes

MAX_BYTES = 1000
STATUS = "google.rpc.Status"


def envelopes(data):
    """The same frames, whatever pieces they come in, and none above the limit."""

    def read(step):
        reader, found = Reader(MAX_BYTES), []
        try:
            for at in range(0, len(data), step):
                found += reader.feed(data[at : at + step])
        except ConnectError as error:
            return found, error.code
        return found, None

    whole = read(max(len(data), 1))
    assert read(1) == whole
    for frame in whole[0]:
        # What does not shrink grows, so a packed message may be a little longer than what it holds.
        limit = compressed_max_bytes(MAX_BYTES) if frame.flags & COMPRESSED else MAX_BYTES
        assert len(frame.data) <= limit


def sets(data):
    """A set is refused with its reasons, or makes a schema."""
    with contextlib.suppress(NotASetError, SchemaError):
        Schema([Source("fuzz", files_of(data))])


def messages(data):
    """A message is refused as the caller's fault, or is read the same once more."""
    schema = system()
    for codec in schema.codecs.values():
        cls = schema.message_class(STATUS)
        try:
            message = codec.decode(data, cls)
        except ConnectError:
            continue
        try:
            again = codec.encode(message)
        except ConnectError:
            continue  # an Any of a type that nobody knows
        assert codec.decode(again, cls) == message


TARGETS = (envelopes, sets, messages)


def test_one_input(data):
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


if __name__ == "__main__":
    corpus = Path(sys.argv[0]).resolve().parents[2] / ".tools" / "corpus" / "readers"
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "envelope").write_bytes(b"\0\0\0\0\0\2hi\1\0\0\0\1a")
    (corpus / "set").write_bytes(
        b"\1" + (Path(__file__).parents[2] / "examples/eliza/eliza.binpb").read_bytes()
    )
    (corpus / "message").write_bytes(b'\2{"code": 5, "message": "no", "details": []}')
    atheris.Setup([*sys.argv, str(corpus)], test_one_input)
    atheris.Fuzz()
