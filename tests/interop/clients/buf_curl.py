"""What `buf curl` sees of the server, over one protocol; see README.md."""

from __future__ import annotations

import base64
import json
import re
import subprocess

from scenarios import SENT_INITIAL, SENT_TRAILING, TIMEOUT, report, task


class Scenarios:
    """`buf curl` has no cancellation and no parallel calls; the rest is one process a call."""

    def __init__(self, given: dict) -> None:
        self.task = given
        self.options = ["--schema", given["set"], "--protocol", given["protocol"]]
        if given["ca"]:
            self.options += ["--cacert", given["ca"]]
        elif given["http"] == "2":
            self.options += ["--http2-prior-knowledge"]

    def command(self, method: str, *options: str) -> list[str]:
        url = f"{self.task['url']}/interop.v1.InteropService/{method}"
        return [self.task["buf"], "curl", *self.options, *options, url]

    def run(self, method: str, *requests: dict, options=(), ok=True):
        """The responses and what stands on stderr, with -v the headers too."""
        data = "\n".join(map(json.dumps, requests))
        command = self.command(method, "--data", "@-", *options)
        done = subprocess.run(
            command, input=data, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
        assert (done.returncode == 0) is ok, f"exit status {done.returncode}: {done.stderr}"
        return list(_values(done.stdout)), done.stderr

    def echo(self):
        (answer,), _ = self.run("Echo", {"everything": self.task["everything"]})
        return {"everything": answer["everything"], "protocol": answer["protocol"]}

    def metadata(self):
        sent = [f"x-echo-initial: {value}" for value in SENT_INITIAL]
        sent.append(f"x-echo-trailing-bin: {base64.b64encode(SENT_TRAILING).decode()}")
        _, log = self.run("Echo", {}, options=["-v", *(part for line in sent for part in ("-H", line))])
        initial = _metadata(log, "x-echo-initial")
        # Connect's unary trailers are headers with a prefix
        trailing = _metadata(log, "(?:trailer-)?x-echo-trailing-bin")
        return {
            "initial": [part.strip() for value in initial for part in value.split(",")],
            "trailing": [base64.b64decode(value + "=" * (-len(value) % 4)).hex() for value in trailing],
        }

    def large(self):
        data = base64.b64encode(b"\x07" * self.task["large"]).decode()
        (answer,), _ = self.run("Echo", {"everything": {"data": data}})
        return base64.b64decode(answer["everything"]["data"]).count(b"\x07")

    def count(self):
        return [answer["number"] for answer in self.run("Count", {"upTo": 5})[0]]

    def count_fail(self):
        answers, log = self.run("Count", {"upTo": 2, "thenFail": True}, ok=False)
        return {"numbers": [answer["number"] for answer in answers], "error": _failure(log)}

    def sum(self):
        (answer,), _ = self.run("Sum", *({"number": number} for number in (1, 2, 39)))
        return int(answer["sum"])

    def chat(self):
        """Each request is written once the answer before it was read."""
        events = []
        command = self.command("Chat", "--data", "@-")
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as buf:
            for text in ("a", "b", "c"):
                events.append(text)
                buf.stdin.write(json.dumps({"text": text}) + "\n")
                events.append(_read_value(buf.stdout)["text"])
            buf.stdin.close()
            assert buf.stdout.read().strip() == ""
        assert buf.returncode == 0
        return events

    def chat_half(self):
        return [answer["text"] for answer in self.run("Chat", {"text": "a"}, {"text": "b"})[0]]

    def fail(self):
        return _failure(self.run("Fail", {}, ok=False)[1])

    def nobody(self):
        return _failure(self.run("Nobody", {}, ok=False)[1])["code"]


def _values(text: str):
    """The JSON values in *text*, one after the other."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        value, at = decoder.raw_decode(text, at)
        at += len(text[at:]) - len(text[at:].lstrip())
        yield value


def _read_value(lines) -> dict:
    """The next JSON value of *lines*, which may be printed over several."""
    text = ""
    for line in lines:
        text += line
        try:
            return json.loads(text)
        except ValueError:
            continue
    raise AssertionError(f"no whole value: {text!r}")


def _metadata(log: str, name: str) -> list[str]:
    return re.findall(rf"(?im)^buf: < \(#1\) {name}:\s*(.*?)\s*$", log)


def _failure(log: str) -> dict:
    error = json.loads(log[log.index("{") :])
    details = [
        [detail["type"], base64.b64decode(detail["value"] + "=" * (-len(detail["value"]) % 4)).hex()]
        for detail in error.get("details", ())
    ]
    return {"code": error["code"], "message": error.get("message", ""), "details": details}


if __name__ == "__main__":
    given = task()
    report(given["scenarios"], Scenarios(given))
