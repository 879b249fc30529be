"""What really happened, read from the lines that the bodies wrote."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Counts", "Ledger"]


@dataclass(slots=True)
class Counts:
    """``tasks`` counts executions that ended well by task name; ``failures`` the others by error.

    ``retries`` counts executions that were not a task's first attempt; ``recovered`` holds the ids of
    the tasks that ran again after the process which held them had died.
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
        self.counts = Counts()

    def update(self) -> Counts:
        """Read the lines that are new, and return the counts."""
        sql = "SELECT id, task, task_id, retries, redelivered, outcome, pid FROM executions WHERE id > ? ORDER BY id"
        counts = self.counts
        for number, task, task_id, retries, redelivered, outcome, pid in self._db.execute(sql, (self._seen,)):
            self._seen = number
            counts.executions += 1
            counts.retries += retries > 0
            counts.processes.add(pid)
            if redelivered:
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
        """Return when, in seconds after ``moment``, the first redelivered task ran again."""
        sql = "SELECT min(started) FROM executions WHERE redelivered AND started >= ?"
        found = self._db.execute(sql, (moment,)).fetchone()[0]
        return None if found is None else found - moment

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
