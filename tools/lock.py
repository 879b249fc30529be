"""Write ``requirements.lock``: every dependency of every extra, pinned, with hashes.

The file names no package index and no path, so that it serves from any mirror.
Usage: ``make lock``, or ``make lock ARGS=--upgrade`` for the newest releases.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = "# Every dependency, pinned with its hashes. Written by `make lock`; do not edit.\n"
OPTIONS = (
    "--quiet",
    "--all-extras",
    "--allow-unsafe",
    "--generate-hashes",
    "--no-annotate",
    "--no-emit-find-links",
    "--no-emit-index-url",
    "--no-emit-options",
    "--no-emit-trusted-host",
    "--no-header",
    "--strip-extras",
)


def main(arguments: list[str]) -> int:
    """Resolve, then put the header on; return pip-compile's exit code."""
    command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, *arguments]
    command += ["--output-file", str(LOCK), "pyproject.toml"]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 - our own arguments
    if code == 0:
        pins = [line for line in LOCK.read_text().splitlines(keepends=True) if not line.startswith("#")]
        LOCK.write_text(HEADER + "".join(pins))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
