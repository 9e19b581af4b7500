"""What nghttp sees of the server: HTTP/2 by prior knowledge, by ALPN, and by Upgrade; see README.md."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from connect_json import Answer, Scenarios
from scenarios import TIMEOUT, report, task


class Nghttp:
    def __init__(self, given: dict) -> None:
        self.url = given["url"]
        # It does not check certificates, and warns of that.
        self.options = ["--no-verify-peer", f"--timeout={TIMEOUT}"]
        self.options += ["--upgrade"] if given["http"] == "upgrade" else []

    def send(self, path: str, body: bytes | None, headers: list[str]) -> Answer:
        with tempfile.TemporaryDirectory() as folder:
            har, data = Path(folder, "har"), Path(folder, "data")
            command = ["nghttp", *self.options, f"--har={har}", f"{self.url}{path}"]
            if body is not None:
                data.write_bytes(body)
                command += [f"--data={data}"]
            command += [f"--header={header}" for header in headers]
            done = subprocess.run(command, capture_output=True, check=True)
            [entry] = json.loads(har.read_text())["log"]["entries"]
        answer = entry["response"]
        pairs = [(pair["name"], pair["value"]) for pair in answer["headers"]]
        return answer["status"], pairs, done.stdout


if __name__ == "__main__":
    given = task()
    report(given["scenarios"], Scenarios(given, Nghttp(given).send))
