"""The app of these tests: tasks that fail in every way. The URLs come from the environment."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from umbel import PermanentError, Retry, TemporaryError, Umbel

app = Umbel("shop")
EFFECTS = Path(os.environ["EFFECTS"])


class CardGatewayDownError(TemporaryError):
    error_code = "CARD_GATEWAY_DOWN"

    def __init__(self, gateway: str) -> None:
        super().__init__(f"{gateway} does not answer", gateway=gateway, hint="ask the gateway")


def effect(text: str) -> None:
    """Write one line, whole, whatever else writes."""
    with EFFECTS.open("a") as file:
        file.write(f"{text}\n")


@app.task(shared=False)
def add(x: int, y: int) -> int:
    effect(f"add {x} {y}")
    return x + y


@app.task(shared=False)
def note(*values: object) -> None:
    effect(f"note {values!r}")


@app.task(shared=False, bind=True)
def note_id(self, *_values: object) -> str:
    effect(f"note_id {self.request.id}")
    return str(self.request.id)


@app.task(shared=False)
def sum_up(numbers: list[int]) -> int:
    effect(f"sum {numbers!r}")
    return sum(numbers)


@app.task(shared=False)
def permanent() -> None:
    effect("permanent")
    raise PermanentError("the card is stolen", card="4711", hint="call the bank")


@app.task(shared=False, autoretry_for=(Exception,), max_retries=5, retry_backoff=False, default_retry_delay=0)
def permanent_with_autoretry() -> None:
    effect("permanent_with_autoretry")
    raise PermanentError("the card is stolen")


@app.task(shared=False, retry=Retry(attempts=3, backoff=timedelta(milliseconds=10)))
def flaky(gateway: str = "visa") -> None:
    effect("flaky")
    raise CardGatewayDownError(gateway)


@app.task(shared=False, retry=Retry(attempts=3, backoff=timedelta(milliseconds=10)))
def recovers(path: str) -> str:
    effect("recovers")
    if not Path(path).exists():
        Path(path).touch()
        raise TemporaryError("not yet")
    return "done"


@app.task(shared=False)
def broken() -> None:
    effect("broken")
    raise ValueError("no idea")


@app.task(shared=False, dead_letter=False)
def broken_without_dead_letter() -> None:
    effect("broken_without_dead_letter")
    raise ValueError("no idea")


@app.task(shared=False, acks_late=False)
def broken_early() -> None:
    effect("broken_early")
    raise ValueError("no idea")


@app.task(shared=False, autoretry_for=(OSError,), max_retries=1, default_retry_delay=0)
def autoretried() -> None:
    effect("autoretried")
    raise OSError("disk")


@app.task(shared=False, bind=True, max_retries=1)
def retries_itself(self) -> None:
    effect("retries_itself")
    try:
        raise TemporaryError("by hand")
    except TemporaryError as error:
        raise self.retry(exc=error, countdown=0) from error


@app.task(shared=False, bind=True, max_retries=0)
def gives_up(self) -> None:
    effect("gives_up")
    raise self.retry(countdown=0)


@app.task(shared=False)
def rejects() -> None:
    effect("rejects")
    raise Reject(ValueError("not for me"), requeue=False)


@app.task(shared=False)
def ignores() -> None:
    effect("ignores")
    raise Ignore


@app.task(shared=False)
def unreadable_error() -> None:
    effect("unreadable_error")
    raise PermanentError("odd details", thing=object())


@app.task(shared=False)
def out_of_memory() -> None:
    effect("out_of_memory")
    raise MemoryError("too much")


@app.task(shared=False, time_limit=1)
def too_long() -> None:
    """Ignore the soft limit, which shrinks with the hard one."""
    effect("too_long")
    while True:
        with contextlib.suppress(SoftTimeLimitExceeded):
            time.sleep(60)


@app.task(shared=False, soft_time_limit=1, time_limit=30)
def too_long_softly() -> None:
    effect("too_long_softly")
    time.sleep(60)


@app.task(shared=False)
def dies() -> None:
    effect("dies")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(shared=False)
def unless(path: str, value: int) -> int:
    """Fail until the file is there."""
    effect(f"unless {value}")
    if not Path(path).exists():
        raise PermanentError("not there")
    return value


@app.task(shared=False)
def parent(*_values: object) -> str:
    effect("parent")
    return "parent"
