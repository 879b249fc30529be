"""What one process of a worker does now and then, such as renewing leases or pruning.

A duty that fails is told in an event and tried again; nothing that it raises ends the worker, because a
broker may be away for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from umbel import events
from umbel.errors import describe

if TYPE_CHECKING:
    from umbel.transports.base import Store

__all__ = ["Duty", "Rota"]

_AFTER_FAILURE = 2.0
"""Seconds until a duty that failed is tried again, at least."""


class Duty(Protocol):
    """Something small that is done every so many seconds."""

    every: float

    def run(self, store: Store) -> None:
        """Do it once."""
        ...


class Rota:
    """The duties of one worker, each with its time. Times are on the monotonic clock."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._due: dict[Callable[[], None], float] = {}
        self._intervals: dict[Callable[[], None], float] = {}

    def every(self, seconds: float, duty: Callable[[], None]) -> None:
        """Do this every so many seconds, for the first time after as many."""
        self._due[duty] = time.monotonic() + seconds
        self._intervals[duty] = seconds

    def pause(self) -> float:
        """Return how many seconds may pass until the next duty; infinity when there is none."""
        return max(0.0, min(self._due.values(), default=float("inf")) - time.monotonic())

    def do_what_is_due(self) -> None:
        """Do every duty whose time has come."""
        now = time.monotonic()
        for duty, due in tuple(self._due.items()):
            if now >= due:
                seconds = self._intervals[duty]
                self._due[duty] = now + (seconds if self.attempt(duty) else max(seconds, _AFTER_FAILURE))

    def attempt(self, duty: Callable[[], None]) -> bool:
        """Do something now; return whether it went well."""
        try:
            duty()
        except Exception as problem:  # noqa: BLE001 - see above; what failed is told
            events.emit(events.DutyFailed(worker=self._worker, problem=describe(problem)["message"]))
            return False
        return True
