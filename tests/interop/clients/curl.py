"""What curl sees of the server: Connect's unary calls, which need no library; see README.md."""

from __future__ import annotations

import base64
import json
import subprocess
from urllib.parse import urlencode

from scenarios import SENT_INITIAL, SENT_TRAILING, TIMEOUT, report, task


class Scenarios:
    def __init__(self, given: dict) -> None:
        self.task = given
        http2 = "--http2" if given["ca"] else "--http2-prior-knowledge"
        self.options = ["--silent", "--show-error", "--max-time", str(TIMEOUT), "--include"]
        self.options += [http2 if given["http"] == "2" else "--http1.1"]
        if given["ca"]:
            self.options += ["--cacert", given["ca"]]

    def run(self, method: str, request: dict, *headers: str, query: str = ""):
        """The HTTP status, the headers as a list of pairs, the body as JSON."""
        url = f"{self.task['url']}/interop.v1.InteropService/{method}{query}"
        command = ["curl", *self.options, url]
        if not query:
            # the empty Expect: curl would ask "100-continue" first, which is not what is tested here
            command += [
                "--header",
                "Content-Type: application/json",
                "--header",
                "Expect:",
                "--data-binary",
                "@-",
            ]
        for header in headers:
            command += ["--header", header]
        done = subprocess.run(command, input=json.dumps(request).encode(), capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        version = "HTTP/2" if self.task["http"] == "2" else "HTTP/1.1"
        assert status.startswith(version), status
        pairs = (
            [line.lower().partition(":")[0] for line in lines],
            [line.partition(":")[2].strip() for line in lines],
        )
        return int(status.split()[1]), list(zip(*pairs, strict=True)), json.loads(body)

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


if __name__ == "__main__":
    given = task()
    report(given["scenarios"], Scenarios(given))
