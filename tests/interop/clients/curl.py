"""What curl sees of the server; see README.md."""

from __future__ import annotations

import subprocess

from connect_json import Answer, Scenarios
from scenarios import TIMEOUT, report, task


class Curl:
    def __init__(self, given: dict) -> None:
        self.url = given["url"]
        http2 = "--http2" if given["ca"] else "--http2-prior-knowledge"
        self.options = ["--silent", "--show-error", "--max-time", str(TIMEOUT), "--include"]
        self.options += [http2 if given["http"] == "2" else "--http1.1"]
        self.version = "HTTP/2" if given["http"] == "2" else "HTTP/1.1"
        if given["ca"]:
            self.options += ["--cacert", given["ca"]]

    def send(self, path: str, body: bytes | None, headers: list[str]) -> Answer:
        command = ["curl", *self.options, f"{self.url}{path}"]
        if body is not None:
            # the empty Expect: curl would ask "100-continue" first, which is not what is tested here
            command += ["--header", "Expect:", "--data-binary", "@-"]
        for header in headers:
            command += ["--header", header]
        done = subprocess.run(command, input=body, capture_output=True, check=True)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        assert status.startswith(self.version), status
        parts = [line.partition(":") for line in lines]
        return int(status.split()[1]), [(name.lower(), value.strip()) for name, _, value in parts], answer


if __name__ == "__main__":
    given = task()
    report(given["scenarios"], Scenarios(given, Curl(given).send))
