"""Delays per airport and month, as numbers that can be added: the value that the pipeline passes around."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["Tally", "TallyRow"]

TallyRow = tuple[str, int, int, int, int, int]
"""(airport, month, departures, minutes of departure delay, arrivals, minutes of arrival delay)."""


class Tally:
    """Counts and minutes by airport and month. A flight counts where it left and where it arrived.

    >>> tally = Tally()
    >>> tally.add(month=1, origin="JFK", dest="MIA", dep_delay=2, arr_delay=33)
    >>> tally.rows()
    [('JFK', 1, 1, 2, 0, 0), ('MIA', 1, 0, 0, 1, 33)]
    """

    def __init__(self) -> None:
        self._cells: dict[tuple[str, int], list[int]] = {}

    def add(self, *, month: int, origin: str, dest: str, dep_delay: int, arr_delay: int) -> None:
        """Count one flight; delays in minutes, negative when early."""
        left, arrived = self._cell(origin, month), self._cell(dest, month)
        left[0] += 1
        left[1] += dep_delay
        arrived[2] += 1
        arrived[3] += arr_delay

    def merge(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add the rows of another tally, as JSON gives them back."""
        for airport, month, *numbers in rows:
            cell = self._cell(airport, month)
            for index, number in enumerate(numbers):
                cell[index] += number

    def rows(self) -> list[TallyRow]:
        """Return one row per airport and month, in order."""
        return [(*key, cell[0], cell[1], cell[2], cell[3]) for key, cell in sorted(self._cells.items())]

    def _cell(self, airport: str, month: int) -> list[int]:
        return self._cells.setdefault((airport, month), [0, 0, 0, 0])
