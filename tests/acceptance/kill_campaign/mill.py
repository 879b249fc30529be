"""The application whose workers are killed: every body writes what it does to the ledger."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery.exceptions import Ignore

from tests.acceptance.kill_campaign.ledger import Ledger, write
from umbel import Retry, TemporaryError, Umbel

ENOUGH = Retry(attempts=8, backoff=timedelta(milliseconds=40), max_delay=timedelta(milliseconds=200), jitter=0.5)
GATE_SECONDS = 60.0


def build(folder: Path) -> Umbel:
    """Return the app on the folder's database; producers and workers build the same."""
    url = f"sqlite:///{folder}/mill.db"
    app = Umbel("mill", broker=url, backend=url, set_as_current=False)
    ledger = folder / "ledger"

    @contextmanager
    def recorded(task: Any, token: str) -> Iterator[None]:
        """A start without its end is a body whose process died."""
        write(ledger, "start", task.name, token, task.request)
        try:
            yield
        finally:
            write(ledger, "end", task.name, token, task.request)

    @app.task(name="quick", bind=True)
    def quick(self: Any, token: str, seconds: float) -> str:
        with recorded(self, token):
            time.sleep(seconds)
        return token

    @app.task(name="flaky", bind=True, retry=ENOUGH)
    def flaky(self: Any, token: str, failures: int) -> str:
        with recorded(self, token):
            time.sleep(0.01)
            if self.request.retries < failures:
                raise TemporaryError("the gateway is busy")
        return token

    @app.task(name="step", bind=True)
    def step(self: Any, value: int, token: str) -> int:
        with recorded(self, token):
            time.sleep(0.01)
        return value + 1

    @app.task(name="noted", bind=True)
    def noted(self: Any, value: str, token: str) -> str:
        with recorded(self, token):
            time.sleep(0.005)
        return f"{token} after {value}"

    @app.task(name="part", bind=True)
    def part(self: Any, token: str, value: int) -> int:
        with recorded(self, token):
            time.sleep(0.01)
        return value

    @app.task(name="total", bind=True)
    def total(self: Any, values: list[int], token: str) -> int:
        with recorded(self, token):
            time.sleep(0.01)
        return sum(values)

    def wait_at_the_gate() -> None:
        """Wait until this process's gate is open, or the one of all."""
        deadline = time.monotonic() + GATE_SECONDS
        while not ((folder / f"gate-{os.getpid()}").exists() or (folder / "gate").exists()):
            if time.monotonic() > deadline:
                raise TimeoutError("nobody opened the gate")
            time.sleep(0.005)

    @app.task(name="gated", bind=True)
    def gated(self: Any, token: str) -> str:
        with recorded(self, token):
            wait_at_the_gate()
        return token

    @app.task(name="yielding", bind=True)
    def yielding(self: Any, token: str) -> str:
        """A run that sees a later one of the same task steps aside for it."""
        with recorded(self, token):
            wait_at_the_gate()
            if Ledger(ledger).read().starts_of(self.request.id)[-1].pid != os.getpid():
                raise Ignore
        return token

    return app
