"""A plain Celery app with its own base class and request class, on which Umbel is installed."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery, Task
from celery.worker.request import Request

import umbel

EFFECTS = Path(os.environ["EFFECTS"])


def effect(text: str) -> None:
    with EFFECTS.open("a") as file:
        file.write(f"{text}\n")


class CountingRequest(Request):
    def on_failure(self, *args: object, **kwargs: object) -> object:
        effect("own request")
        return super().on_failure(*args, **kwargs)


class OwnTask(Task):
    Request = CountingRequest

    def __call__(self, *args: object, **kwargs: object) -> object:
        effect("own call")
        return super().__call__(*args, **kwargs)

    def on_failure(self, *_args: object, **_kwargs: object) -> None:
        effect("own hook")


app = Celery("bakery", broker=os.environ["UMBEL__BROKER__URL"], backend=os.environ["UMBEL__RESULTS__URL"])
app.conf.task_acks_late = os.environ.get("ACKS_LATE") == "1"


@app.task(shared=False, base=OwnTask)
def burns() -> None:
    effect("burns")
    raise umbel.PermanentError("burnt")


@app.task(shared=False, retry=umbel.Retry(attempts=2))
def rises() -> None:
    """Declared before Umbel was there."""
    effect("rises")
    raise umbel.TemporaryError("not yet")


found = umbel.install(app)


@app.task(shared=False)
def bakes(number: int) -> int:
    effect("bakes")
    return number


@app.task(shared=False, dead_letter=False)
def crumbles() -> None:
    effect("crumbles")
    raise ValueError("crumbs")
