"""The scenarios of a client that only sends HTTP: Connect's unary calls in JSON, which need no library."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import urlencode

from scenarios import SENT_INITIAL, SENT_TRAILING

Answer = tuple[int, list[tuple[str, str]], bytes]
"""The HTTP status, the headers with names in lower case, the body."""


class Scenarios:
    """What *send* makes of each scenario of *given*.

    It sends a body, or GETs if there is none, to a path with these headers, each ``Name: value``.
    """

    def __init__(self, given: dict, send: Callable[[str, bytes | None, list[str]], Answer]) -> None:
        self.task = given
        self._send = send

    def run(self, method: str, request: dict, *headers: str, query: str = ""):
        """The HTTP status, the headers as a list of pairs, the body as JSON."""
        path = f"/interop.v1.InteropService/{method}{query}"
        sent = list(headers) if query else ["Content-Type: application/json", *headers]
        status, pairs, body = self._send(path, None if query else json.dumps(request).encode(), sent)
        return status, pairs, json.loads(body)

    def echo(self):
        status, _, answer = self.run("Echo", {"everything": self.task["everything"]})
        assert status == 200
        return {"everything": answer["everything"], "protocol": answer["protocol"]}

    def metadata(self):
        sent = [f"x-echo-initial: {value}" for value in SENT_INITIAL]
        sent.append(f"x-echo-trailing-bin: {base64.b64encode(SENT_TRAILING).decode()}")
        _, headers, _ = self.run("Echo", {}, *sent)
        initial = [value for name, value in headers if name == "x-echo-initial"]
        trailing = [value for name, value in headers if name == "trailer-x-echo-trailing-bin"]
        return {
            "initial": [part.strip() for value in initial for part in value.split(",")],
            "trailing": [base64.b64decode(value + "=" * (-len(value) % 4)).hex() for value in trailing],
        }

    def large(self):
        data = base64.b64encode(b"\x07" * self.task["large"]).decode()
        _, _, answer = self.run("Echo", {"everything": {"data": data}})
        return base64.b64decode(answer["everything"]["data"]).count(b"\x07")

    def fail(self):
        status, _, error = self.run("Fail", {})
        assert status == 404
        details = [
            [detail["type"], base64.b64decode(detail["value"] + "=" * (-len(detail["value"]) % 4)).hex()]
            for detail in error["details"]
        ]
        return {"code": error["code"], "message": error["message"], "details": details}

    def nobody(self):
        status, _, error = self.run("Nobody", {})
        assert status == 501
        return error["code"]

    def time_left(self):
        return int(self.run("Echo", {}, "Connect-Timeout-Ms: 60000")[2]["timeoutMs"])

    def deadline(self):
        """The client waits; the server alone sees that the time is over."""
        key = self.task["key"] + "d"
        status, _, error = self.run("Wait", {"key": key}, "Connect-Timeout-Ms: 200")
        assert status == 504
        self.run("Reached", {"key": key, "stage": "STAGE_CANCELLED"})
        return error["code"]

    def get(self):
        message = json.dumps({"everything": self.task["everything"]})
        query = urlencode({"connect": "v1", "encoding": "json", "message": message})
        _, _, answer = self.run("Look", {}, query=f"?{query}")
        return {"everything": answer["everything"], "http_method": answer["httpMethod"]}
