"""The server under test: what `connectconformance` starts, once for each server configuration.

It reads a ServerCompatRequest from stdin, starts `dynconnect serve` as a user would, writes a
ServerCompatResponse to stdout, and ends with its runner's SIGTERM. The server's own output goes to a
log file, one for each server.
Source: docs/testing_servers.md of the runner's module.
"""

# ruff: noqa: T201  a command prints

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TextIO

from dynconnect.schema import sources
from dynconnect.schema.schema import Schema

HERE = Path(__file__).parent
# The start banner tells the port; asked for port 0, the server has chosen it.
URL = re.compile(r"https?://127\.0\.0\.1:(\d+)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("schema", type=Path, help="the descriptor set of the conformance service")
    parser.add_argument("--logs", type=Path, required=True, help="the folder for the servers' logs")
    parser.add_argument("--serve", default="", help="more options for `dynconnect serve`, in one string")
    options = parser.parse_args()

    schema = Schema([sources.read(options.schema)])
    request = schema.message_class("connectrpc.conformance.v1.ServerCompatRequest").FromString(
        _read_delimited()
    )
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(str(Path(sys.executable).with_name("dynconnect")), "serve", str(options.schema)),
            *("--plugins", str(HERE / "plugin.py"), "--host", "127.0.0.1", "--port", "0"),
            *_limit_options(request),
            *_tls_options(request, Path(folder)),
            *shlex.split(options.serve),
        ]
        with _new_log(options.logs, request) as log:
            return _run(command, log, schema, request)


def _run(command, log, schema, request) -> int:
    """Run *command* to its end; once its banner tells the port, answer the runner."""
    print("$", shlex.join(command), file=log)
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    answered = False
    for line in server.stdout:
        log.write(line)
        if not answered and (found := URL.search(line)):
            answered = True
            response = schema.message_class("connectrpc.conformance.v1.ServerCompatResponse")
            _write_delimited(
                response(
                    host="127.0.0.1", port=int(found[1]), pem_cert=request.server_creds.cert
                ).SerializeToString()
            )
    status = server.wait()
    print(f"$ exit status {status}", file=log)
    if not answered:
        print(f"the server did not start; see {log.name}", file=sys.stderr)
    return status


def _limit_options(request) -> list[str]:
    limit = request.message_receive_limit
    return ["--read-max-bytes", str(limit)] if limit else []


def _tls_options(request, folder: Path) -> list[str]:
    if not request.use_tls:
        return []
    files = {"--tls-cert": request.server_creds.cert, "--tls-key": request.server_creds.key}
    if request.client_tls_cert:
        files["--tls-client-ca"] = request.client_tls_cert
    options = []
    for option, pem in files.items():
        path = folder / f"{option.strip('-')}.pem"
        path.write_bytes(pem)
        options += [option, str(path)]
    return options


def _new_log(folder: Path, request) -> TextIO:
    """The log of the server of *request*, in a file of its own: two of a kind may run at once."""
    names = [
        type(request)
        .DESCRIPTOR.fields_by_name[field]
        .enum_type.values_by_number[getattr(request, field)]
        .name
        for field in ("http_version", "protocol")
    ]
    names += ["tls"] * request.use_tls + ["client_cert"] * bool(request.client_tls_cert)
    return (folder / f"{'-'.join(names).lower()}.{os.getpid()}.log").open("x", buffering=1)


def _read_delimited() -> bytes:
    """One message of the runner's format: a size in four bytes, big-endian, then as many bytes."""
    (size,) = struct.unpack(">I", sys.stdin.buffer.read(4))
    return sys.stdin.buffer.read(size)


def _write_delimited(message: bytes) -> None:
    sys.stdout.buffer.write(struct.pack(">I", len(message)) + message)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
