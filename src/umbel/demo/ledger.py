"""What really happened, read from the lines that the bodies wrote."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Counts", "Ledger"]


@dataclass(slots=True)
class Counts:
    """``tasks`` counts executions that ended well by task name; ``failures`` the others by error.

    ``retries`` counts executions that were not a task's first attempt; ``recovered`` holds those of the
    watched ids (what a dead process had held) that ran again.
    """

    executions: int = 0
    retries: int = 0
    tasks: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    recovered: set[str] = field(default_factory=set)
    processes: set[int] = field(default_factory=set)

    def done(self, *names: str) -> int:
        """Return how many executions of these tasks ended well; names without their module."""
        return sum(self.tasks[name] for name in names)


class Ledger:
    """Reads the executions of a warehouse, each line once."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=30, check_same_thread=False)
        self._seen = 0
        self._watched: frozenset[str] = frozenset()
        self.counts = Counts()

    def watch(self, ids: Iterable[str]) -> None:
        """Count these tasks as recovered when they run again from now on."""
        self._watched = frozenset(ids)

    def update(self) -> Counts:
        """Read the lines that are new, and return the counts."""
        sql = "SELECT id, task, task_id, retries, redelivered, outcome, pid FROM executions WHERE id > ? ORDER BY id"
        counts = self.counts
        for number, task, task_id, retries, redelivered, outcome, pid in self._db.execute(sql, (self._seen,)):
            self._seen = number
            counts.executions += 1
            counts.retries += retries > 0
            counts.processes.add(pid)
            if redelivered and task_id in self._watched:
                counts.recovered.add(task_id)
            if outcome == "ok":
                counts.tasks[task.rpartition(".")[2]] += 1
            else:
                counts.failures[outcome] += 1
        return counts

    def span(self) -> float:
        """Return the seconds from the first execution to the last."""
        first, last = self._db.execute("SELECT min(started), max(started) FROM executions").fetchone()
        return (last - first) if first is not None else 0.0

    def first_recovery_after(self, moment: float) -> float | None:
        """Return how many seconds after ``moment`` the first watched task ran again."""
        sql = "SELECT task_id, started FROM executions WHERE redelivered AND started >= ? ORDER BY started"
        again = (started for task_id, started in self._db.execute(sql, (moment,)) if task_id in self._watched)
        first = next(again, None)
        return None if first is None else first - moment

    def started(self, task: str) -> dict[str, float]:
        """Return when each execution of a task started, by task id."""
        sql = "SELECT task_id, min(started) FROM executions WHERE task LIKE ? GROUP BY task_id"
        return dict(self._db.execute(sql, (f"%.{task}",)).fetchall())

    def finished(self, task_id: str) -> bool:
        """Return whether an execution of the task ended, well or with a failure for good."""
        sql = "SELECT 1 FROM executions WHERE task_id = ? AND outcome != 'TemporaryError' LIMIT 1"
        return self._db.execute(sql, (task_id,)).fetchone() is not None

    def close(self) -> None:
        """Close the file."""
        self._db.close()
