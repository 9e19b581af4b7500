"""Our JSON against json_format's, over 100,000 documents each way.

usage: json_fuzz.py [DOCUMENTS]
It fails at the first difference that has no name (see tests/support/json_fuzz.py), and else counts what the
documents came to.
"""

# ruff: noqa: T201  a command prints

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import json_fuzz

EACH = 25
"""Documents of one seed."""


def main() -> None:
    documents = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    codecs = json_fuzz.Codecs()

    @given(seed=st.integers(0, 2**63))
    @settings(max_examples=documents // EACH, deadline=None, database=None)
    def differ(seed: int) -> None:
        json_fuzz.run(seed, codecs, EACH)

    differ()
    for outcome, count in codecs.outcomes.most_common():
        print(f"{count:8}  {outcome}")


if __name__ == "__main__":
    main()
