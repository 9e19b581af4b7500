"""h2spec against our HTTP/2: every case of its generic, http2 and hpack sections has to pass.

    python tests/interop/h2spec.py

Installs the tool with Go if it is not there. Not run by pytest: it needs Go, and the network the first time.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOOL = "github.com/summerwind/h2spec/cmd/h2spec@latest"
ROOT = Path(__file__).parents[2]


def tool():
    """The path of h2spec."""
    found = shutil.which("h2spec") or shutil.which("h2spec", path=Path.home() / "go" / "bin")
    if found:
        return found
    subprocess.run(["go", "install", TOOL], check=True)
    places = subprocess.run(["go", "env", "GOBIN", "GOPATH"], check=True, capture_output=True, text=True)
    binary, path = places.stdout.split("\n")[:2]
    return Path(binary) / "h2spec" if binary else Path(path) / "bin" / "h2spec"


def main():
    server = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "http2" / "serve.py", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        port = server.stdout.readline().strip()
        run = subprocess.run([tool(), "-p", port, "-o", "2"], capture_output=True, text=True, check=False)
    finally:
        server.terminate()
        server.wait()
    total = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", run.stdout)
    if total is None or run.returncode or total[1] != total[2] or not int(total[2]):
        sys.exit(f"{run.stdout}{run.stderr}")
    print(total[0])  # noqa: T201  # the result


if __name__ == "__main__":
    main()
