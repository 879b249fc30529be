"""How long what is stored may live.

``result_expires`` (one hour by Umbel's default) is for results. What a chord or a running task still needs
must not end with it: a state that is not final lives a week at least, and a chord whose body has not been
published lives 30 days after its last part, as long as a failed part may wait among the dead letters by
default. ``result_chord_expires`` sets the latter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery import states

from umbel.results.records import ChordState

__all__ = ["Lifetimes"]

_DAY = 86_400.0
_UNFINISHED = 7 * _DAY
_SETTLED_CHORD = _DAY
_UNSETTLED_CHORD = 30 * _DAY


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds from the moment of storing; None: for ever."""

    result: float | None
    failure: float | None
    unfinished: float | None
    settled_chord: float | None
    unsettled_chord: float | None

    @classmethod
    def of(cls, conf: Any, expires: float | None) -> Lifetimes:  # noqa: ANN401 - Celery's settings
        """Read Celery's settings; ``expires`` is the backend's own (0 or None: for ever)."""
        result = expires or None
        failure = _seconds(conf.get("result_failure_expires"))
        chord = _seconds(conf.get("result_chord_expires"))
        return cls(
            result=result,
            failure=result if failure is None else failure or None,
            unfinished=_at_least(result, _UNFINISHED),
            settled_chord=_at_least(result, _SETTLED_CHORD),
            unsettled_chord=_at_least(result, _UNSETTLED_CHORD) if chord is None else chord or None,
        )

    def result_expires_at(self, status: str, now: float) -> float | None:
        """Return when a result that is stored now expires, in seconds since the epoch."""
        if status == states.SUCCESS:
            return _after(now, self.result)
        if status in states.READY_STATES:
            return _after(now, self.failure)
        return _after(now, self.unfinished)

    def chord_expires_at(self, state: ChordState, now: float) -> float | None:
        """Return when a chord in this state, of which nothing more is heard, may be forgotten."""
        return _after(now, self.settled_chord if state is ChordState.DONE else self.unsettled_chord)


def _seconds(value: Any) -> float | None:  # noqa: ANN401 - a number or a timedelta
    if value is None:
        return None
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def _at_least(lifetime: float | None, floor: float) -> float | None:
    return None if lifetime is None else max(lifetime, floor)


def _after(now: float, lifetime: float | None) -> float | None:
    return None if lifetime is None else now + lifetime
