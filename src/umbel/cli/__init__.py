"""The command line: parses, calls one function of ``umbel.control``, renders what it returns.

``umbel --help`` imports neither Celery nor pydantic nor rich: a command's module is imported when the
command is used, and imports what it needs when it runs.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``umbel`` program and return its exit code; ``arguments`` default to those of the process."""
    from umbel.cli.program import run

    return run(arguments)
