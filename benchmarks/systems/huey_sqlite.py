"""Huey on SQLite: results stored; a message is deleted when it is taken (no late ack)."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from huey import SqliteHuey

from benchmarks.ledger import hit, stamp

_FOLDER = Path(os.environ["BENCH_DIR"])

huey = SqliteHuey("bench", filename=str(_FOLDER / "huey.db"))


@huey.task()
def tick() -> int:
    """Do nothing, and say so."""
    hit()
    return 1


@huey.task()
def tock(sent: float) -> None:
    """Record the latency."""
    stamp(sent)


def publish(count: int) -> None:
    """Publish one by one."""
    for _ in range(count):
        tick()


def call(sent: float) -> None:
    """Publish one timed call."""
    tock(sent)


def stored(count: int) -> bool:
    """Return whether so many results are in the database."""
    with sqlite3.connect(_FOLDER / "huey.db") as connection:
        return bool(connection.execute("SELECT count(*) FROM kv").fetchone()[0] >= count)
