"""What the runner of protobuf's conformance suite asks: our codecs, over messages of a private pool.

The runner starts it and speaks by pipes: a length of four bytes, then a message, each way.
Source: protobuf, conformance/README.md and conformance.proto.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from dynconnect.rpc.errors import ConnectError
from dynconnect.schema.codec import Binary, Json
from dynconnect.schema.json.options import JsonOptions
from dynconnect.schema.pool import flat_class

STRICT = JsonOptions(strict=True)
IGNORING = JsonOptions(skip_unknown_enums=True)


class Testee:
    """Answers for the messages of *pool*."""

    def __init__(self, pool: DescriptorPool) -> None:
        self._pool = pool
        self.request = self._class("conformance.ConformanceRequest")
        self.response = self._class("conformance.ConformanceResponse")
        categories = pool.FindEnumTypeByName("conformance.TestCategory")
        self._ignoring = categories.values_by_name["JSON_IGNORE_UNKNOWN_PARSING_TEST"].number
        formats = pool.FindEnumTypeByName("conformance.WireFormat")
        self._formats = {value.number: value.name for value in formats.values}
        self._codecs = {options: (Binary(), Json(self._find, options)) for options in (STRICT, IGNORING)}

    def answer(self, request):
        """The response to *request*."""
        if request.message_type == "conformance.FailureSet":
            return self.response(protobuf_payload=b"")
        options = IGNORING if request.test_category == self._ignoring else STRICT
        binary, text = self._codecs[options]
        payload = request.WhichOneof("payload")
        codec = {"protobuf_payload": binary, "json_payload": text}.get(payload)
        if codec is None:
            return self.response(skipped=f"{payload} is nothing that RPCs carry")
        data = getattr(request, payload)
        try:
            message = codec.decode(
                data.encode() if isinstance(data, str) else data, self._class(request.message_type)
            )
        except ConnectError as error:
            return self.response(parse_error=error.message)
        try:
            match self._formats[request.requested_output_format]:
                case "PROTOBUF":
                    return self.response(protobuf_payload=binary.encode(message))
                case "JSON":
                    return self.response(json_payload=text.encode(message).decode())
                case other:
                    return self.response(skipped=f"{other} is nothing that RPCs carry")
        except ConnectError as error:
            return self.response(serialize_error=error.message)

    def _class(self, name: str) -> type[Message]:
        return flat_class(self._pool.FindMessageTypeByName(name))

    def _find(self, name: str) -> type[Message] | None:
        try:
            return self._class(name)
        except KeyError:
            return None


def main() -> None:
    data = Path(os.environ["DYNCONNECT_CONFORMANCE_SET"]).read_bytes()
    # Not a Schema, which refuses an edition that is still in the making: the suite has some cases of it.
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(data).file:
        pool.AddSerializedFile(file.SerializeToString())
    testee = Testee(pool)
    requests, responses = sys.stdin.buffer, sys.stdout.buffer
    while size := requests.read(4):
        request = testee.request.FromString(requests.read(struct.unpack("<I", size)[0]))
        answer = testee.answer(request).SerializeToString()
        responses.write(struct.pack("<I", len(answer)) + answer)
        responses.flush()


if __name__ == "__main__":
    main()
