"""When a failed task runs again by itself, and how long it waits."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta

from umbel.errors import ConfigurationError, PermanentError, TemporaryError

__all__ = ["Retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A retry rule: which errors, how often, and how long to wait between.

    ``on`` are the exception types that the rule covers; :class:`~umbel.errors.PermanentError` is never
    covered. ``attempts`` is how often the body runs at most, the first time included. Before attempt
    *n* + 1 the message waits in the broker for ``backoff`` times 2 ** (*n* - 1), at most ``max_delay``.
    ``jitter`` is the share of that wait which is random, 0 to 1: with 0.5, which is what True means, a wait
    of 8 s is between 4 and 8 s, so that tasks which failed together do not come back together ("equal
    jitter", Marc Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog, 2015). What is None comes
    from the settings (``tasks.retry``).

    >>> Retry(on=(ConnectionError,), attempts=5, max_delay=timedelta(minutes=10)).attempts
    5

    Raises:
        ConfigurationError: a value is out of its range.
    """

    on: tuple[type[BaseException], ...] = (TemporaryError,)
    attempts: int | None = None
    backoff: timedelta | None = None
    max_delay: timedelta | None = None
    jitter: float | bool | None = None

    def __post_init__(self) -> None:
        _check_errors(self.on)
        _check(_is_count(self.attempts), "attempts", "a whole number from 1", self.attempts)
        _check(_is_wait(self.backoff), "backoff", "a timedelta from 0", self.backoff)
        _check(_is_wait(self.max_delay), "max_delay", "a timedelta from 0", self.max_delay)
        _check(_is_share(self.jitter), "jitter", "a number from 0 to 1", self.jitter)

    def filled(self, defaults: Retry) -> Retry:
        """Return the rule with what is None taken from ``defaults``."""
        return replace(
            self,
            attempts=defaults.attempts if self.attempts is None else self.attempts,
            backoff=defaults.backoff if self.backoff is None else self.backoff,
            max_delay=defaults.max_delay if self.max_delay is None else self.max_delay,
            jitter=defaults.jitter if self.jitter is None else self.jitter,
        )

    def covers(self, error: BaseException) -> bool:
        """Return whether this error is retried at all."""
        return isinstance(error, self.on) and not isinstance(error, PermanentError)

    def exhausted(self, retries: int) -> bool:
        """Return whether a task that has been retried so often may not run again."""
        return self.attempts is not None and retries + 1 >= self.attempts

    def delay(self, retries: int) -> float:
        """Return how many seconds a task waits that has been retried ``retries`` times before."""
        longest = (self.max_delay or timedelta.max).total_seconds()
        first = (self.backoff or timedelta(0)).total_seconds()
        wait = min(longest, first * 2.0 ** min(retries, _STEEPEST))
        share = _EQUAL if self.jitter is True else float(self.jitter or 0)
        return wait * (1 - share * random.random())  # noqa: S311 - spreads load, guards nothing


_EQUAL = 0.5
_STEEPEST = 60
"""Beyond 2 ** 60 every wait is cut to ``max_delay`` anyway, and a float must not overflow."""


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)


def _is_wait(value: object) -> bool:
    return value is None or (isinstance(value, timedelta) and value >= timedelta(0))


def _is_share(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and 0 <= value <= 1)


def _check_errors(on: object) -> None:
    fitting = isinstance(on, tuple) and all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in on)
    _check(fitting, "on", "a tuple of exception types", on)


def _check(fits: bool, key: str, expected: str, found: object) -> None:  # noqa: FBT001 - a condition, not a mode
    if not fits:
        raise ConfigurationError(
            f"Retry({key}=): expected {expected}, found {found!r}", hint="correct the task's declaration", key=key
        )
