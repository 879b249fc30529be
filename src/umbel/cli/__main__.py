"""``python -m umbel.cli``: the same program where no console script is on the path."""

from __future__ import annotations

import sys

from umbel.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
