"""Umbel on SQLite: late acks, leases, results stored; all defaults."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from benchmarks.ledger import hit, stamp
from umbel import Umbel

_FOLDER = Path(os.environ["BENCH_DIR"])
_URL = f"sqlite:///{_FOLDER}/umbel.db"

app = Umbel("bench", broker=_URL, backend=_URL)


@app.task
def tick() -> int:
    """Do nothing, and say so."""
    hit()
    return 1


@app.task
def tock(sent: float) -> None:
    """Record the latency."""
    stamp(sent)


def publish(count: int) -> None:
    """Publish one by one."""
    for _ in range(count):
        tick.delay()


def call(sent: float) -> None:
    """Publish one timed call."""
    tock.delay(sent)


def stored(count: int) -> bool:
    """Return whether so many results are in the database."""
    with sqlite3.connect(_FOLDER / "umbel.db") as connection:
        found = connection.execute("SELECT count(*) FROM umbel_results WHERE status = 'SUCCESS'")
        return bool(found.fetchone()[0] >= count)
