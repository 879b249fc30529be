"""The application whose workers are killed: every body writes what it does to the ledger."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery.exceptions import Ignore
from tests.acceptance.kill_campaign.ledger import Ledger, write

from umbel import Retry, TemporaryError, Umbel

SOON = Retry(attempts=8, backoff=timedelta(milliseconds=40), max_delay=timedelta(milliseconds=200), jitter=0.5)
GATE_SECONDS = 60.0


class Mill(Umbel):
    """Knows the folder of its database and its ledger."""

    folder: Path


def build(folder: Path) -> Mill:
    """Return the app on the folder's database; producers and workers build the same."""
    url = f"sqlite:///{folder}/mill.db"
    app = Mill("mill", broker=url, backend=url, set_as_current=False)
    app.folder = folder
    for body, options in TASKS.items():
        app.task(body, name=body.__name__, bind=True, shared=False, **options)
    return app


@contextmanager
def recorded(task: Any, token: str) -> Iterator[Path]:
    """A start without its end is a body whose process died. Yields the folder."""
    folder = task.app.folder
    write(folder / "ledger", "start", task.name, token, task.request)
    try:
        yield folder
    finally:
        write(folder / "ledger", "end", task.name, token, task.request)


def quick(self: Any, token: str, seconds: float) -> str:
    with recorded(self, token):
        time.sleep(seconds)
    return token


def flaky(self: Any, token: str, failures: int) -> str:
    with recorded(self, token):
        time.sleep(0.01)
        if self.request.retries < failures:
            raise TemporaryError("the gateway is busy")
    return token


def step(self: Any, value: int, token: str) -> int:
    with recorded(self, token):
        time.sleep(0.01)
    return value + 1


def noted(self: Any, value: str, token: str) -> str:
    with recorded(self, token):
        time.sleep(0.005)
    return f"{token} after {value}"


def part(self: Any, token: str, value: int) -> int:
    with recorded(self, token):
        time.sleep(0.01)
    return value


def total(self: Any, values: list[int], token: str) -> int:
    with recorded(self, token):
        time.sleep(0.01)
    return sum(values)


def gated(self: Any, token: str) -> str:
    with recorded(self, token) as folder:
        _wait_at_the_gate(folder)
    return token


def yielding(self: Any, token: str) -> str:
    """A run that sees a later one of the same task steps aside for it."""
    with recorded(self, token) as folder:
        _wait_at_the_gate(folder)
        if Ledger(folder / "ledger").read().starts_of(self.request.id)[-1].pid != os.getpid():
            raise Ignore
    return token


def _wait_at_the_gate(folder: Path) -> None:
    """Wait until this process's gate is open, or the one of all."""
    deadline = time.monotonic() + GATE_SECONDS
    while not ((folder / f"gate-{os.getpid()}").exists() or (folder / "gate").exists()):
        if time.monotonic() > deadline:
            raise TimeoutError("nobody opened the gate")
        time.sleep(0.005)


TASKS: Mapping[Callable[..., Any], Mapping[str, Any]] = {
    quick: {},
    flaky: {"retry": SOON},
    step: {},
    noted: {},
    part: {},
    total: {},
    gated: {},
    yielding: {},
}
