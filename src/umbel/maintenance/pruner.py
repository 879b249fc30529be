"""Bounds the dead letters in age and number."""

from __future__ import annotations

from umbel.transports.base import DeadLetters

__all__ = ["DeadLetterPruner"]


class DeadLetterPruner:
    """Removes dead letters older than ``max_age`` seconds, then the oldest over ``max_count``."""

    every = 60.0

    def __init__(self, max_age: float, max_count: int) -> None:
        self._max_age = max_age
        self._max_count = max_count

    def run(self, store: DeadLetters) -> None:
        """Prune once."""
        store.prune_dead(max_age=self._max_age, max_count=self._max_count)
