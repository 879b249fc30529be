"""Stock Celery on kombu's SQLAlchemy transport over SQLite, results in SQLAlchemy over SQLite."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from celery import Celery

from benchmarks.ledger import hit, stamp

_FOLDER = Path(os.environ["BENCH_DIR"])

app = Celery("bench", broker=f"sqla+sqlite:///{_FOLDER}/broker.db", backend=f"db+sqlite:///{_FOLDER}/results.db")
# Its polling interval (1 s, which is most of the latency) is no option of the transport.
app.conf.update(task_acks_late=True, broker_connection_retry_on_startup=True)


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
    with sqlite3.connect(_FOLDER / "results.db") as connection:
        found = connection.execute("SELECT count(*) FROM celery_taskmeta WHERE status = 'SUCCESS'")
        return bool(found.fetchone()[0] >= count)
