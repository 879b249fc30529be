"""Messages for the suite: real envelopes, with a head as kombu writes it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from kombu.utils import json as kombu_json

from umbel.message import Envelope
from umbel.transports.base import Claim

__all__ = ["message", "messages", "task_ids"]

_numbers = itertools.count(1)


def message(task_id: str | None = None, **fields: Any) -> Envelope:
    """Return an envelope with a head that a replay can reset; ``fields`` are fields of the envelope."""
    name = task_id or f"task-{next(_numbers)}"
    task = fields.pop("task", "shop.charge")
    headers = {"id": name, "task": task, "retries": 2, "eta": None, "expires": None}
    content = {"headers": headers, "properties": {"correlation_id": name}, "content-type": "application/json"}
    fields.setdefault("head", kombu_json.dumps(content).encode())
    fields.setdefault("body", b'[[1, 2], {}, {"callbacks": null}]')
    return Envelope(task_id=name, task=task, **fields)


def messages(*names: str, **fields: Any) -> list[Envelope]:
    """Return one envelope per task id, with the same fields."""
    return [message(name, **fields) for name in names]


def task_ids(claims: Iterable[Claim]) -> list[str]:
    """Return the task ids in their order."""
    return [claim.envelope.task_id for claim in claims]
