"""What one process of a worker does now and then to keep the stores small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from umbel.maintenance.pruner import DeadLetterPruner

__all__ = ["DeadLetterPruner", "Retention", "duties"]


class Retention(Protocol):
    """How long and how many dead letters are kept."""

    @property
    def dead_letter_max_age(self) -> float:
        """Seconds."""
        ...

    @property
    def dead_letter_max_count(self) -> int:
        """How many at most, over all queues."""
        ...


def duties(retention: Retention) -> Sequence[DeadLetterPruner]:
    """Return the duties of a worker."""
    return [DeadLetterPruner(retention.dead_letter_max_age, retention.dead_letter_max_count)]
