"""Waiting for results without a thread and without busy polling.

A waiter looks again after a twentieth of the time that it has waited, at least 1 ms and at most 50 ms: a
result that comes at once is seen at once, no result is seen more than 5 % late, and a long wait costs
twenty small queries a second. One look asks for all the results that are waited for, in one query.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from celery import states
from celery.exceptions import TimeoutError as ResultTimeoutError

from umbel import _celery
from umbel.clock import Clock

__all__ = ["NativeWaiting", "Pace", "wait_for_any"]

_SHARE = 0.05
_SHORTEST = 0.001
_LONGEST = 0.05

Meta = dict[str, Any]


class Pace:
    """The pauses of one wait. ``timeout`` and ``longest`` are in seconds; a ``timeout`` of None waits for
    ever.
    """

    def __init__(self, clock: Clock, *, timeout: float | None, longest: float | None) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self._timeout = timeout
        self._longest = min(_LONGEST, longest) if longest else _LONGEST

    def pause(self) -> None:
        """Block until it is time to look again.

        Raises:
            celery.exceptions.TimeoutError: the time is over.
        """
        elapsed = self._clock.monotonic() - self._started
        nap = min(max(elapsed * _SHARE, _SHORTEST), self._longest)
        if self._timeout is not None:
            left = self._timeout - elapsed
            if left <= 0:
                raise ResultTimeoutError(f"The operation timed out after {self._timeout:g} s.")
            nap = min(nap, left)
        self._clock.sleep(nap)


def wait_for_any(
    task_ids: Iterable[str],
    look: Callable[[set[str]], Mapping[str, Meta]],
    *,
    pace: Pace,
    on_interval: Callable[[], object] | None = None,
    max_iterations: int | None = None,
) -> Iterator[tuple[str, Meta]]:
    """Yield (task id, metadata) of each task as it becomes ready, until all are.

    ``look`` returns what is known of those that are still waited for. ``max_iterations`` ends the wait
    after so many looks.
    """
    waiting = set(task_ids)
    looks = 0
    while waiting:
        for task_id, meta in look(waiting).items():
            if meta["status"] in states.READY_STATES:
                waiting.discard(task_id)
                yield task_id, meta
        looks += 1
        if not waiting or (max_iterations and looks >= max_iterations):
            return
        if on_interval:
            on_interval()
        pace.pause()


class NativeWaiting:
    """The part of a backend that ``AsyncResult.get`` and ``ResultSet.join_native`` use."""

    clock: Clock
    _cache: Any
    _ensure_not_eager: Callable[[], None]

    def look(self, task_ids: Collection[str]) -> Mapping[str, Meta]:
        """Return the metadata of those that have a result, in one query."""
        raise NotImplementedError

    def get_many(  # noqa: PLR0913, PLR0917 - Celery's signature
        self,
        task_ids: Iterable[str],
        timeout: float | None = None,
        interval: float | None = None,
        no_ack: bool = True,  # noqa: ARG002, FBT001, FBT002 - Celery's signature
        on_message: Callable[[Meta], object] | None = None,
        on_interval: Callable[[], object] | None = None,
        max_iterations: int | None = None,
    ) -> Iterator[tuple[str, Meta]]:
        """Yield (task id, metadata) of many tasks as they become ready, one query for all per look."""
        ids = set(task_ids)
        cached = {task_id: self._cache[task_id] for task_id in ids if task_id in self._cache}
        found = wait_for_any(
            ids,
            lambda waiting: self._look_past_cache(waiting, cached),
            pace=Pace(self.clock, timeout=timeout, longest=interval),
            on_interval=on_interval,
            max_iterations=max_iterations,
        )
        for task_id, meta in found:
            self._cache[task_id] = meta
            if on_message is not None:
                on_message(meta)
            yield task_id, meta

    def wait_for(
        self,
        task_id: str,
        timeout: float | None = None,
        interval: float | None = None,
        no_ack: bool = True,  # noqa: FBT001, FBT002 - Celery's signature
        on_message: Callable[[Meta], object] | None = None,
        on_interval: Callable[[], object] | None = None,
    ) -> Meta:
        """Wait until a task is ready, and return its metadata.

        Raises:
            celery.exceptions.TimeoutError: it was not ready after ``timeout`` seconds.
        """
        self._ensure_not_eager()
        found = self.get_many([task_id], timeout, interval, no_ack, on_message, on_interval)
        return next(meta for _, meta in found)

    def wait_for_pending(  # noqa: PLR0913, PLR0917 - Celery's signature
        self,
        result: Any,  # noqa: ANN401 - an AsyncResult
        timeout: float | None = None,
        interval: float | None = None,
        no_ack: bool = True,  # noqa: FBT001, FBT002 - Celery's signature
        on_message: Callable[[Meta], object] | None = None,
        on_interval: Callable[[], object] | None = None,
        callback: Callable[[str, Any], object] | None = None,
        propagate: bool = True,  # noqa: FBT001, FBT002 - Celery's signature
    ) -> Any:  # noqa: ANN401 - what the task has returned
        """Wait until a task is ready, and return or raise its result."""
        meta = self.wait_for(result.id, timeout, interval, no_ack, on_message, on_interval)
        _celery.remember_result(result, meta)
        return result.maybe_throw(propagate=propagate, callback=callback)

    def _look_past_cache(self, waiting: set[str], cached: dict[str, Meta]) -> Mapping[str, Meta]:
        known = {task_id: meta for task_id, meta in cached.items() if meta["status"] in states.READY_STATES}
        cached.clear()
        rest = waiting - known.keys()
        return {**known, **self.look(rest)} if rest else known
