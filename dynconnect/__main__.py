"""``python -m dynconnect``."""

from __future__ import annotations

from dynconnect.cli.main import main

if __name__ == "__main__":
    main()
