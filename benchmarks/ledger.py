"""Effects: every body of every system writes one byte, and the length of the file is the count."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["Ledger", "hit", "stamp"]

_descriptors: dict[str, int] = {}


def hit() -> None:
    """Record one effect; called by the bodies."""
    _append("effects", b".")


def stamp(sent: float) -> None:
    """Record how long a call took to reach its body, in seconds; both ends are on one host's clock."""
    _append("latencies", f"{time.monotonic() - sent:.9f}\n".encode())


def _append(name: str, payload: bytes) -> None:
    path = os.path.join(os.environ["BENCH_DIR"], name)  # noqa: PTH118 - on the measured path
    descriptor = _descriptors.get(path)
    if descriptor is None:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        _descriptors[path] = descriptor
    os.write(descriptor, payload)


class Ledger:
    """The reader's side."""

    def __init__(self, folder: Path) -> None:
        self._effects = folder / "effects"
        self._latencies = folder / "latencies"

    def count(self) -> int:
        """Return how many bodies have run."""
        return self._effects.stat().st_size if self._effects.exists() else 0

    def latencies(self) -> list[float]:
        """Return the seconds from call to body, in order."""
        return [float(line) for line in self._latencies.read_text().split()] if self._latencies.exists() else []

    def wait(self, count: int, *, timeout: float) -> float:
        """Wait for so many effects; return when (monotonic) they were first seen. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while self.count() < count:
            if time.monotonic() > deadline:
                message = f"only {self.count()} of {count} effects after {timeout:.0f} s"
                raise TimeoutError(message)
            time.sleep(0.002)
        return time.monotonic()
