"""How long the made-up answers take: the slowest of all messages of googleapis-common-protos and protobuf.

python tests/bench/mocks.py [ROUNDS]
"""

# ruff: noqa: T201  a report

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.google_types import common

from dynconnect.schema.plausible import plausible

WANTED = 50.0
"""Milliseconds that an answer may take."""


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    schema, names = common()
    took = {}
    for name in names:
        cls = schema.message_class(name)
        for seed in range(rounds):
            began = time.perf_counter()
            data = plausible(cls, random.Random(seed)).SerializeToString()  # noqa: S311  no secret
            spent = (time.perf_counter() - began) * 1000
            took[name] = max(took.get(name, (0, 0)), (spent, len(data)))
    for name, (spent, size) in sorted(took.items(), key=lambda item: item[1], reverse=True)[:5]:
        print(f"{spent:6.2f} ms {size:7} bytes  {name}")
    slow = [name for name, (spent, _) in took.items() if spent > WANTED]
    print(
        f"{len(took)} types, each {rounds} times: " + (f"too slow: {slow}" if slow else "all as it is to be")
    )


if __name__ == "__main__":
    main()
