"""What has ended and is not yet settled, and the order in which it settles.

What stays true: a receipt is acknowledged only after everything that the barrier stores, and only if
it had ended before the barrier ran. Whatever could not be settled stays here and is tried again.

The queues below are deques because acks come from any thread: one thread appends at the right while
the settling one takes from the left, and both are atomic.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from umbel import events
from umbel.clock import Timestamp
from umbel.errors import StorageError, describe
from umbel.transports.base import Burial, Claim, Receipt, Store

__all__ = ["Settlement"]

_RETRY_AFTER = 0.5
"""Seconds until a failed settlement is tried again by itself."""

_PATIENCE = 10.0
"""Seconds that the store may fail before the connection is given up, which Celery's log shows."""


@dataclass(slots=True)
class _Batch:
    """One snapshot; what has been carried out is removed from it."""

    burials: list[tuple[Burial, Claim | None]] = field(default_factory=list)
    crashes: list[tuple[Receipt, int]] = field(default_factory=list)
    releases: list[tuple[Receipt, Timestamp | None]] = field(default_factory=list)
    parks: list[Receipt] = field(default_factory=list)
    acks: list[Receipt] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.burials) + len(self.crashes) + len(self.releases) + len(self.parks) + len(self.acks)


class Settlement:
    """The settlements of one channel. Every method may be called from any thread."""

    def __init__(self, store: Store) -> None:
        self.barrier: Callable[[], None] = _nothing
        """Runs before acks; what it stores is stored before anything is acknowledged."""
        self.lasting_problem: StorageError | None = None
        """Why settling has failed for so long that the connection should be given up."""
        self._store = store
        self._burials: deque[tuple[Burial, Claim | None]] = deque()
        self._crashes: deque[tuple[Receipt, int]] = deque()
        self._releases: deque[tuple[Receipt, Timestamp | None]] = deque()
        self._parks: deque[Receipt] = deque()
        self._acks: deque[Receipt] = deque()
        self._lock = threading.RLock()
        self._busy = False
        self._retry_at = 0.0
        self._failing_since: float | None = None

    @property
    def pending(self) -> int:
        """How many settlements wait."""
        return len(self._burials) + len(self._crashes) + len(self._releases) + len(self._parks) + len(self._acks)

    @property
    def stuck(self) -> bool:
        """Whether the last settlement failed so recently that it is not tried again yet."""
        return time.monotonic() < self._retry_at

    def ack(self, receipt: Receipt) -> None:
        """Remove the message for good."""
        self._acks.append(receipt)

    def bury(self, burial: Burial, claim: Claim | None) -> None:
        """Move the message to the dead letters."""
        self._burials.append((burial, claim))

    def crash(self, receipt: Receipt, crash_limit: int) -> None:
        """Release the message, counting a crash."""
        self._crashes.append((receipt, crash_limit))

    def park(self, receipt: Receipt) -> None:
        """Set the message aside until a worker knows its task."""
        self._parks.append(receipt)

    def release(self, receipt: Receipt, *, visible_at: Timestamp | None = None) -> None:
        """Give the message back."""
        self._releases.append((receipt, visible_at))

    def settle(self) -> bool:
        """Carry out what waits; False when something had to be put back.

        The barrier runs even when nothing waits, because results of early acknowledged tasks have no
        ack to wait for.
        """
        with self._lock:
            if self._busy:
                return False
            self._busy = True
            try:
                return self._attempt(self._snapshot())
            finally:
                self._busy = False

    def _attempt(self, batch: _Batch) -> bool:
        try:
            self.barrier()
            self._carry_out(batch)
        except Exception as problem:  # noqa: BLE001 - whatever failed, nothing may be lost of the rest
            self._put_back(batch)
            self._postpone(problem)
            events.emit(events.SettlementFailed(pending=len(batch), problem=describe(problem)["message"]))
            return False
        self._retry_at, self._failing_since, self.lasting_problem = 0.0, None, None
        return True

    def _postpone(self, problem: Exception) -> None:
        now = time.monotonic()
        self._retry_at = now + _RETRY_AFTER
        if self._failing_since is None:
            self._failing_since = now
        elif isinstance(problem, StorageError) and now - self._failing_since > _PATIENCE:
            self.lasting_problem = problem

    def _snapshot(self) -> _Batch:
        return _Batch(
            burials=_taken(self._burials),
            crashes=_taken(self._crashes),
            releases=_taken(self._releases),
            parks=_taken(self._parks),
            acks=_taken(self._acks),
        )

    def _put_back(self, batch: _Batch) -> None:
        self._burials.extendleft(reversed(batch.burials))
        self._crashes.extendleft(reversed(batch.crashes))
        self._releases.extendleft(reversed(batch.releases))
        self._parks.extendleft(reversed(batch.parks))
        self._acks.extendleft(reversed(batch.acks))

    def _carry_out(self, batch: _Batch) -> None:
        if batch.burials:
            self._bury_all(batch)
        while batch.crashes:
            receipt, limit = batch.crashes[0]
            self._store.crash(receipt, crash_limit=limit)
            batch.crashes.pop(0)
        if batch.releases:
            self._release_all(batch)
        if batch.parks:
            _report("park", self._store.park(batch.parks))
            batch.parks = []
        if batch.acks:
            _report("ack", self._store.ack(batch.acks))
            batch.acks = []

    def _bury_all(self, batch: _Batch) -> None:
        fenced = self._store.dead_letter([burial for burial, _ in batch.burials])
        buried, batch.burials = batch.burials, []
        _report("dead_letter", fenced)
        for burial, claim in buried:
            if claim is not None and burial.receipt not in fenced:
                events.emit(_dead_lettered(burial, claim))

    def _release_all(self, batch: _Batch) -> None:
        by_time: defaultdict[Timestamp | None, list[Receipt]] = defaultdict(list)
        for receipt, visible_at in batch.releases:
            by_time[visible_at].append(receipt)
        for visible_at, receipts in by_time.items():
            _report("release", self._store.release(receipts, visible_at=visible_at))
            batch.releases = [entry for entry in batch.releases if entry[1] != visible_at]


def _taken(queue: deque[Any]) -> list[Any]:
    return [queue.popleft() for _ in range(len(queue))]


def _report(operation: str, fenced: Collection[Receipt]) -> None:
    if fenced:
        receipts: Sequence[Receipt] = sorted(fenced)
        events.emit(events.ClaimFenced(operation=operation, receipts=tuple(receipts)))


def _dead_lettered(burial: Burial, claim: Claim) -> events.DeadLettered:
    return events.DeadLettered(
        queue=claim.queue,
        task=claim.envelope.task,
        task_id=claim.envelope.task_id,
        reason=str(burial.reason),
        error_code=str(burial.error.get("error_code", "")),
    )


def _nothing() -> None:
    """Be the barrier of a channel whose results are stored elsewhere."""
