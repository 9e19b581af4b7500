"""h2spec against our HTTP/2: every case of its generic, http2 and hpack sections passes."""

from __future__ import annotations

import os
import re
import subprocess
import sys


def test_every_case_of_h2spec_passes(here, go_tool):
    tests = here.parent
    server = subprocess.Popen(
        [sys.executable, tests / "http2" / "serve.py", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tests.parent)},
    )
    try:
        port = server.stdout.readline().strip()
        command = [go_tool("h2spec"), "-p", port, "-o", "2"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()
    total = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", done.stdout)
    assert total is not None, done.stdout + done.stderr
    ran, passed, skipped, failed = map(int, total.groups())
    assert (passed, skipped, failed) == (ran, 0, 0), done.stdout
    assert ran >= 145
