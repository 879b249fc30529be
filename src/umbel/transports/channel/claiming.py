"""Which queue to ask, when, and for how many messages.

A queue is asked only when it may have something: after a wake-up, when its next delayed message is
due, while it gave as much as was asked for, and once per poll interval as a safety net. So an idle
consumer costs next to nothing, and a wake-up that was missed costs at most the poll interval.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from umbel import events
from umbel.clock import Timestamp
from umbel.errors import StorageError
from umbel.transports.base import Claim, Store

__all__ = ["Claimer"]

_PATIENCE = 3
"""So many failures in a row are waited out; the next one is the connection's."""


@dataclass(slots=True)
class _Queue:
    name: str
    hungry: bool = True
    due: Timestamp | None = None
    failures: int = 0


class Claimer:
    """Claims from several queues in a fair round. One thread at a time calls :meth:`claim`."""

    def __init__(self, store: Store, *, poll_interval: float) -> None:
        self._store = store
        self._poll_interval = poll_interval
        self._queues: dict[str, _Queue] = {}
        self._poll_at = 0.0

    def __len__(self) -> int:
        return len(self._queues)

    def add(self, queue: str) -> None:
        """Consume from this queue too."""
        self._queues = {**self._queues, queue: _Queue(queue)}

    def remove(self, queue: str) -> None:
        """Consume from it no more."""
        self._queues = {name: entry for name, entry in self._queues.items() if name != queue}

    def stir(self) -> None:
        """Say that every queue may have something."""
        for queue in self._queues.values():
            queue.hungry = True

    def idle_for(self) -> float | None:
        """Return how many seconds may pass without asking; None without queues."""
        if not self._queues:
            return None
        dues = [queue.due - time.time() for queue in self._queues.values() if queue.due is not None]
        return max(0.0, min([self._poll_at - time.monotonic(), *dues]))

    def claim(self, consumer: str, room: int) -> list[Claim]:
        """Claim up to ``room`` messages.

        Raises:
            StorageError: a failure that time alone does not mend, or that has lasted.
        """
        self._poll()
        claims: list[Claim] = []
        for queue in list(self._queues.values()):
            if len(claims) >= room:
                break
            if queue.hungry or _is_due(queue):
                claims += self._ask(queue, consumer, room - len(claims))
        return claims

    def _poll(self) -> None:
        now = time.monotonic()
        if now >= self._poll_at:
            self._poll_at = now + self._poll_interval
            self.stir()

    def _ask(self, queue: _Queue, consumer: str, limit: int) -> list[Claim]:
        # Before the claim, so that a wake-up that comes during it is not forgotten.
        queue.hungry = False
        try:
            batch = self._store.claim(queue.name, consumer, limit)
        except StorageError as problem:
            self._tolerate(queue, problem)
            return []
        queue.failures = 0
        queue.due = batch.next_due
        if not batch.claims and _is_due(queue):
            # A paused queue names a time that has passed: the poll finds out when it is resumed.
            queue.due = None
        if len(batch.claims) >= limit:
            queue.hungry = True
            self._to_the_back(queue)
        return list(batch.claims)

    def _to_the_back(self, queue: _Queue) -> None:
        others = {name: entry for name, entry in self._queues.items() if entry is not queue}
        if queue.name in self._queues:
            self._queues = {**others, queue.name: queue}

    def _tolerate(self, queue: _Queue, problem: StorageError) -> None:
        queue.failures += 1
        if not problem.retryable or queue.failures > _PATIENCE:
            raise problem
        events.emit(events.ClaimFailed(queue=queue.name, problem=problem.message))


def _is_due(queue: _Queue) -> bool:
    return queue.due is not None and queue.due <= time.time()
