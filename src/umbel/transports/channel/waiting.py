"""What is claimed and waits to be delivered in direct mode, and whose turn it is.

A suspect (its process died while it ran beside others) runs alone: it starts only when nothing else
of the channel is unsettled, what waits behind it goes back to the queue for others, and until its own
settlement is stored nothing else starts. So the next death has one possible cause.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from umbel import events
from umbel.transports.base import Claim, Receipt, Store
from umbel.transports.channel.settlement import Settlement
from umbel.transports.channel.window import Window

__all__ = ["Waiting"]


class Waiting:
    """The waiting claims of one channel. ``needs_no_ack`` says it of a queue's consumer."""

    def __init__(
        self, store: Store, settlement: Settlement, window: Window, needs_no_ack: Callable[[str], bool]
    ) -> None:
        self._store = store
        self._settlement = settlement
        self._window = window
        self._needs_no_ack = needs_no_ack
        self._claims: deque[Claim] = deque()
        self._alone: Receipt | None = None

    def __len__(self) -> int:
        return len(self._claims)

    @property
    def is_closed(self) -> bool:
        """Whether nothing more should be claimed: a suspect runs alone, or waits to."""
        return self._is_occupied() or bool(self._claims and self._claims[0].suspect)

    def add(self, claims: Sequence[Claim]) -> None:
        """Let these wait."""
        self._claims.extend(claims)
        suspect = next((claim for claim in claims if claim.suspect), None)
        if suspect is not None:
            self._make_way_for(suspect)

    def next(self) -> Claim | None:
        """Take the claim that may be delivered now; None when none may.

        Raises:
            StorageError: a suspect could not be marked as running alone.
        """
        if not self._claims or self._is_occupied():
            return None
        claim = self._claims[0]
        if claim.suspect:
            return self._next_suspect(claim)
        if not self._window.can_consume() and not self._needs_no_ack(claim.queue):
            return None
        return self._claims.popleft()

    def give_back(self, queue: str | None = None) -> None:
        """Order the release of what waits, of one queue or of all."""
        self._release([claim for claim in self._claims if queue in (None, claim.queue)])

    def forget(self) -> None:
        """Drop everything without a release: it is no longer ours."""
        self._claims.clear()
        self._alone = None

    def _is_occupied(self) -> bool:
        if self._alone is not None and not len(self._window) and not self._settlement.pending:
            self._alone = None
        return self._alone is not None

    def _next_suspect(self, claim: Claim) -> Claim | None:
        if len(self._window) or self._settlement.pending:
            return None
        isolated = self._store.isolate(claim.receipt)
        self._claims.popleft()
        if not isolated:
            events.emit(events.ClaimFenced(operation="isolate", receipts=(claim.receipt,)))
            return None
        self._alone = claim.receipt
        events.emit(events.TaskIsolated(task_id=claim.envelope.task_id, crashes=claim.crashes))
        return claim

    def _make_way_for(self, suspect: Claim) -> None:
        self._release([item for item in self._claims if item is not suspect and not self._needs_no_ack(item.queue)])
        self._claims.remove(suspect)
        self._claims.appendleft(suspect)
        self._settlement.settle()

    def _release(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._claims.remove(claim)
            self._settlement.release(claim.receipt)
