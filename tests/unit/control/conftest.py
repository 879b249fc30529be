"""A real store on a file, and short ways to put something into it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from umbel.clock import ManualClock
from umbel.message import Envelope
from umbel.outcomes import Reason
from umbel.transports.base import Store
from umbel.transports.registry import open_store


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/umbel.db", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def envelope() -> Callable[..., Envelope]:
    """Make a message as a producer makes it."""

    def make(task: str = "shop.charge", *, args: object = (), kwargs: object = None, **fields: Any) -> Envelope:
        task_id = fields.pop("task_id", None) or str(uuid4())
        head = {"headers": {"task": task, "id": task_id, "retries": 2}, "content-type": "application/json"}
        body = json.dumps([args, kwargs or {}, {"callbacks": None}])
        return Envelope(
            task_id=task_id, task=task, **({"head": json.dumps(head).encode(), "body": body.encode()} | fields)
        )

    return make


@pytest.fixture
def bury(store: Store, envelope: Callable[..., Envelope]) -> Callable[..., str]:
    """Make a dead letter and return its id."""

    def make(
        task: str = "shop.charge",
        *,
        queue: str = "celery",
        reason: Reason = Reason.FAILED,
        error: str = "CARD_GATEWAY_DOWN",
        **fields: Any,
    ) -> str:
        failure = {"error_code": error, "message": "no answer", "retryable": False, "details": {"s": 3}, "hint": ""}
        return store.bury(queue, envelope(task, **fields), reason, failure)

    return make
