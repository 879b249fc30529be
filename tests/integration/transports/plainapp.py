"""A plain Celery application on the SQLite transport, as the workers of these tests import it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from celery import Celery

import umbel.transports  # noqa: F401 - registers the transport

FOLDER = Path(os.environ.get("PLAINAPP_FOLDER", "."))
EFFECTS = FOLDER / "effects.txt"

app = Celery("plain", broker=f"sqlite:///{FOLDER / 'broker.db'}")
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_default_priority=5,
    worker_prefetch_multiplier=int(os.environ.get("PLAINAPP_PREFETCH", "4")),
    worker_cancel_long_running_tasks_on_connection_loss=True,
    broker_transport_options={"poll_interval": 5.0},
)


def note(*words: object) -> None:
    """Append one line, in one write, so that processes never mix theirs."""
    with EFFECTS.open("a") as file:
        file.write(" ".join(str(word) for word in words) + "\n")


@app.task
def record(word: str) -> None:
    note(word, os.getpid(), time.time())


@app.task(bind=True)
def record_delivery(self) -> None:
    information = self.request.delivery_info
    note("delivery", information["redelivered"], information["priority"], information["routing_key"])


@app.task
def hold(word: str, seconds: float) -> None:
    note(word, os.getpid(), time.time())
    time.sleep(seconds)
    note(f"{word}-ended", os.getpid(), time.time())


@app.task
def die_once(word: str) -> None:
    """Kill the process that runs it, the first time."""
    first = not EFFECTS.exists() or word not in EFFECTS.read_text()
    note(word, os.getpid(), time.time())
    if first:
        os.kill(os.getpid(), signal.SIGKILL)


@app.task
def publish_more(words: list[str]) -> None:
    for word in words:
        record.delay(word)


@app.task(bind=True)
def refuse(self) -> None:
    from celery.exceptions import Reject

    note("refused", os.getpid())
    raise Reject("not today", requeue=False)


@app.task
def noop() -> None:
    return None
