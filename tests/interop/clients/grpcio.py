"""What grpcio sees of the server; see README.md."""

from __future__ import annotations

import base64
import queue
from pathlib import Path

# This file is named after its library, whose module has another name: grpc.
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.rpc import status_pb2
from scenarios import SENT_INITIAL, SENT_TRAILING, TIMEOUT, report, task

SERVICE = "interop.v1.InteropService"


class Client:
    """Calls by name, with messages as dicts in protobuf's JSON mapping."""

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None, descriptors: bytes) -> None:
        options = [("grpc.max_receive_message_length", -1)]
        if credentials is None:
            self.channel = grpc.insecure_channel(target, options)
        else:
            self.channel = grpc.secure_channel(target, credentials, options)
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors).file:
            pool.Add(file)
        self.service = pool.FindServiceByName(SERVICE)

    def __getattr__(self, name):
        """The multicallable of the method *name*, whatever its shape."""
        method = self.service.methods_by_name[name]
        request, response = map(message_factory.GetMessageClass, (method.input_type, method.output_type))
        ends = ["stream" if many else "unary" for many in (method.client_streaming, method.server_streaming)]
        return getattr(self.channel, "_".join(ends))(
            f"/{SERVICE}/{name}",
            request_serializer=lambda fields: json_format.ParseDict(fields, request()).SerializeToString(),
            response_deserializer=lambda data: json_format.MessageToDict(response.FromString(data)),
        )


def failure(error) -> dict:
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata.get("grpc-status-details-bin", b""))
    return {
        "code": error.code().name.lower().replace("cancelled", "canceled"),
        "message": error.details(),
        "details": [[detail.TypeName(), detail.value.hex()] for detail in status.details],
    }


def failing(call) -> dict:
    try:
        call()
    except grpc.RpcError as error:
        return failure(error)
    raise AssertionError("the call did not fail")


class Scenarios:
    def __init__(self, client: Client, task: dict) -> None:
        self.client, self.task = client, task

    def echo(self):
        answer = self.client.Echo({"everything": self.task["everything"]}, timeout=TIMEOUT)
        return {"everything": answer["everything"], "protocol": answer["protocol"]}

    def metadata(self):
        sent = [
            *(("x-echo-initial", value) for value in SENT_INITIAL),
            ("x-echo-trailing-bin", SENT_TRAILING),
        ]
        _, call = self.client.Echo.with_call({}, metadata=sent, timeout=TIMEOUT)
        initial = [value for name, value in call.initial_metadata() if name == "x-echo-initial"]
        trailing = [value.hex() for name, value in call.trailing_metadata() if name == "x-echo-trailing-bin"]
        return {
            "initial": [part.strip() for value in initial for part in value.split(",")],
            "trailing": trailing,
        }

    def large(self):
        data = base64.b64encode(b"\x07" * self.task["large"]).decode()
        answer = self.client.Echo({"everything": {"data": data}}, timeout=TIMEOUT)
        return base64.b64decode(answer["everything"]["data"]).count(b"\x07")

    def parallel(self):
        texts = [str(at) for at in range(50)]
        calls = [self.client.Echo.future({"everything": {"text": text}}, timeout=TIMEOUT) for text in texts]
        return sum(
            call.result()["everything"]["text"] == text for call, text in zip(calls, texts, strict=True)
        )

    def count(self):
        return [answer["number"] for answer in self.client.Count({"upTo": 5}, timeout=TIMEOUT)]

    def count_fail(self):
        answers = self.client.Count({"upTo": 2, "thenFail": True}, timeout=TIMEOUT)
        numbers = []
        error = failing(lambda: numbers.extend(answer["number"] for answer in answers))
        return {"numbers": numbers, "error": error}

    def sum(self):
        return int(self.client.Sum(({"number": number} for number in (1, 2, 39)), timeout=TIMEOUT)["sum"])

    def chat(self):
        events, texts = [], ["a", "b", "c"]
        requests = queue.Queue()
        answers = self.client.Chat(iter(requests.get, None), timeout=TIMEOUT)
        for text in texts:
            events.append(text)
            requests.put({"text": text})
            events.append(next(answers)["text"])
        requests.put(None)
        assert list(answers) == []
        return events

    def fail(self):
        return failing(lambda: self.client.Fail({}, timeout=TIMEOUT))

    def nobody(self):
        return failing(lambda: self.client.Nobody({}, timeout=TIMEOUT))["code"]

    def time_left(self):
        return int(self.client.Echo({}, timeout=60)["timeoutMs"])

    def deadline(self):
        key = self.task["key"] + "d"
        code = failing(lambda: self.client.Wait({"key": key}, timeout=0.2))["code"]
        self.client.Reached({"key": key, "stage": "STAGE_CANCELLED"}, timeout=TIMEOUT)
        return code

    def cancel(self):
        key = self.task["key"] + "c"
        call = self.client.Wait.future({"key": key})
        self.client.Reached({"key": key, "stage": "STAGE_STARTED"}, timeout=TIMEOUT)
        call.cancel()
        self.client.Reached({"key": key, "stage": "STAGE_CANCELLED"}, timeout=TIMEOUT)
        return call.code().name.lower().replace("cancelled", "canceled")


def main() -> None:
    given = task()
    target = given["url"].rpartition("/")[2]
    credentials = grpc.ssl_channel_credentials(Path(given["ca"]).read_bytes()) if given["ca"] else None
    report(given["scenarios"], Scenarios(Client(target, credentials, Path(given["set"]).read_bytes()), given))


if __name__ == "__main__":
    main()
