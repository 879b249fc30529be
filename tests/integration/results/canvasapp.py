"""An application whose broker and results are one SQLite file, as its workers import it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from celery import Celery

import umbel.transports  # noqa: F401 - registers the transport

FOLDER = Path(os.environ.get("CANVASAPP_FOLDER", "."))
EFFECTS = FOLDER / "effects.txt"

app = Celery(
    "canvas",
    broker=os.environ.get("CANVASAPP_BROKER", f"sqlite:///{FOLDER / 'umbel.db'}"),
    backend=f"sqlite:///{FOLDER / 'umbel.db'}",
)
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "data_folder_in": str(FOLDER / "wire"),
        "data_folder_out": str(FOLDER / "wire"),
        "control_folder": str(FOLDER / "control"),
    }
    if "CANVASAPP_BROKER" in os.environ
    else {},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_allow_error_cb_on_chord_header=True,
    worker_prefetch_multiplier=4,
)


def note(*words: object) -> None:
    """Append one line, in one write, so that processes never mix theirs."""
    with EFFECTS.open("a") as file:
        file.write(" ".join(str(word) for word in words) + "\n")


def deep_sum(value: object) -> int:
    return sum(map(deep_sum, value)) if isinstance(value, list) else int(value)


@app.task
def add(x: int, y: int = 0) -> int:
    return x + y


@app.task(ignore_result=True)
def add_ignored(x: int, y: int = 0) -> int:
    return x + y


@app.task
def total(values: list) -> int:
    note("body", total.request.id)
    return deep_sum(values)


@app.task(bind=True, max_retries=1)
def total_at_second_try(self, values: list) -> int:
    if not self.request.retries:
        raise self.retry(countdown=0)
    return deep_sum(values)


@app.task
def same(value: object) -> object:
    return value


@app.task
def fail(*values: object) -> None:
    raise ValueError("no")


@app.task
def fail_unless(path: str, value: int) -> int:
    if not Path(path).exists():
        raise ValueError("not yet")
    return value


@app.task
def mourn(request: object, error: object, traceback: object) -> None:
    note("errback", request.id)


@app.task
def unstorable() -> object:
    return object()


@app.task(bind=True)
def grow(self, value: int) -> int:
    self.add_to_chord(add.s(value, 100))
    return value


@app.task(bind=True)
def become_group(self, value: int) -> None:
    from celery import group

    return self.replace(group(add.s(value, 1), add.s(value, 2)))


@app.task
def hold(seconds: float) -> float:
    note("held")
    time.sleep(seconds)
    return seconds
