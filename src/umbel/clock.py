"""Time, through one seam that tests can replace.

Wall-clock times that are stored are seconds since the Unix epoch (:data:`Timestamp`), because
every store can compare and index them; public interfaces speak aware ``datetime`` and ``timedelta``.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import NewType, Protocol

__all__ = ["Clock", "ManualClock", "SystemClock", "Timestamp", "to_datetime", "to_timestamp"]

Timestamp = NewType("Timestamp", float)
"""Seconds since the Unix epoch, UTC, as a float."""


class Clock(Protocol):
    """What the stores and the worker ask about time."""

    def now(self) -> Timestamp:
        """Return the wall-clock time."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; comparable on one host only."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block the calling thread."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> Timestamp:
        """Return the wall-clock time."""
        return Timestamp(time.time())

    def monotonic(self) -> float:
        """Return the machine's monotonic time in seconds (shared by all its processes)."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block the calling thread."""
        time.sleep(seconds)


class ManualClock:
    """A clock that moves only when a test moves it."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start

    def now(self) -> Timestamp:
        """Return the time that the test has set."""
        return Timestamp(self._now)

    def monotonic(self) -> float:
        """Return the same time; it never goes back."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Advance the clock instead of blocking."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move time forward."""
        self._now += seconds


def to_datetime(timestamp: Timestamp) -> datetime:
    """Return an aware UTC ``datetime``."""
    return datetime.fromtimestamp(timestamp, tz=UTC)


def to_timestamp(moment: datetime) -> Timestamp:
    """Return seconds since the epoch; a naive ``datetime`` is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Timestamp(aware.timestamp())
