"""Results that wait for the next settlement, so that one transaction stores many of them.

What must stay true: an entry leaves the buffer only when it is stored, and a chord's part only when in
addition what follows from it has been done. :meth:`ResultBuffer.flush` returns only when that holds for
everything that was added before the call, whichever thread does the work; so the acks that are sent
after it are safe to send.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from celery import states

from umbel.errors import StorageError
from umbel.results.records import ChordPart, ResultRow

__all__ = ["ResultBuffer"]

Write = Callable[[Sequence[ResultRow], Sequence[ChordPart]], Sequence[ChordPart]]
Complete = Callable[[ChordPart], None]
Substitute = Callable[[ResultRow, Exception], ResultRow]


class ResultBuffer:
    """Holds results and chord parts. ``write`` stores them and returns the parts that call for action;
    ``complete`` takes it; ``substitute`` makes a row that can be stored of one that never can, so that it
    holds nobody up. Thread-safe; a forked child has an empty, inactive buffer.
    """

    def __init__(self, write: Write, complete: Complete, substitute: Substitute) -> None:
        self._write = write
        self._complete = complete
        self._substitute = substitute
        self.reset()

    def reset(self) -> None:
        """Forget everything and become inactive: for a forked child, whose parent still has it."""
        self.active = False
        self._lock = threading.Lock()
        self._flushing = threading.RLock()
        self._rows: dict[str, ResultRow] = {}
        self._parts: list[ChordPart] = []
        self._in_flight: dict[str, ResultRow] = {}

    def __len__(self) -> int:
        return len(self._rows) + len(self._parts)

    def add(self, row: ResultRow) -> None:
        """Keep a result until the next flush; what is kept of the same task follows "SUCCESS wins"."""
        with self._lock:
            self._rows[row.task_id] = _stronger(self._rows.get(row.task_id), row)

    def add_part(self, part: ChordPart) -> None:
        """Keep a chord's part until the next flush."""
        with self._lock:
            self._parts.append(part)

    def get(self, task_id: str) -> ResultRow | None:
        """Return a result that is not stored yet."""
        with self._lock:
            row, writing = self._rows.get(task_id), self._in_flight.get(task_id)
        return writing if row is None else _stronger(writing, row)

    def discard(self, task_id: str) -> None:
        """Drop a result that is not stored yet."""
        with self._flushing, self._lock:
            self._rows.pop(task_id, None)

    def flush(self) -> None:
        """Store everything, and complete the chords that are ripe. What fails is kept, and raised."""
        with self._flushing:
            rows, parts = self._take()
            if not rows and not parts:
                return
            try:
                ripe = self._write_all(rows, parts)
            except BaseException:
                self._put_back(rows, parts)
                raise
            finally:
                self._in_flight = {}
            self._complete_all(ripe)

    def _write_all(self, rows: dict[str, ResultRow], parts: Sequence[ChordPart]) -> Sequence[ChordPart]:
        """Store everything in one transaction; rows that no database takes, each by itself and in words."""
        try:
            return self._write(tuple(rows.values()), parts)
        except StorageError:
            raise
        except Exception:  # noqa: BLE001 - one bad value, of whatever kind, among good ones
            for row in rows.values():
                self._write_one(row)
            return self._write((), parts)

    def _write_one(self, row: ResultRow) -> None:
        try:
            self._write((row,), ())
        except StorageError:
            raise
        except Exception as problem:  # noqa: BLE001 - as above
            self._write((self._substitute(row, problem),), ())

    def _complete_all(self, parts: Sequence[ChordPart]) -> None:
        for done, part in enumerate(parts):
            try:
                self._complete(part)
            except BaseException:
                self._put_back({}, parts[done:])
                raise

    def _take(self) -> tuple[dict[str, ResultRow], list[ChordPart]]:
        with self._lock:
            rows, self._rows = self._rows, {}
            parts, self._parts = self._parts, []
            self._in_flight = rows
        return rows, parts

    def _put_back(self, rows: dict[str, ResultRow], parts: Sequence[ChordPart]) -> None:
        with self._lock:
            for task_id, newer in self._rows.items():
                rows[task_id] = _stronger(rows.get(task_id), newer)
            self._rows = rows
            self._parts = [*parts, *self._parts]


def _stronger(held: ResultRow | None, row: ResultRow) -> ResultRow:
    """The row that a store would keep of two that come one after the other."""
    if held is None or held.status not in states.READY_STATES:
        return row
    if held.status == states.SUCCESS or row.status not in states.READY_STATES:
        return held
    return row
