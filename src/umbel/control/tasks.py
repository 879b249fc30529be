"""One task in the broker, by its id: where it is, and taking it out before it runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from umbel.clock import to_datetime
from umbel.errors import NotFoundError, NotWaitingError
from umbel.transports.base import Found, Store

__all__ = ["Task", "cancel_task", "find_task"]


@dataclass(frozen=True, slots=True)
class Task:
    """A task's message. ``state`` is ready, delayed, claimed, parked or dead; ``worker`` is the name
    of the consumer that holds it; ``due_at`` is when a delayed one may run.
    """

    task_id: str
    task: str
    queue: str
    state: str
    priority: int
    replay: int
    worker: str | None
    due_at: datetime | None
    expires_at: datetime | None


def find_task(store: Store, task_id: str) -> Task:
    """Return where the task's message is.

    Raises:
        NotFoundError: the broker has no message of this task: it ended, was cancelled, or never was.
    """
    found = store.find(task_id)
    if found is None:
        raise NotFoundError(
            f"task {task_id!r} is not in the broker",
            hint="it has ended, was cancelled, or was never published; its result may still be stored",
            task_id=task_id,
        )
    return _seen(store, found)


def cancel_task(store: Store, task_id: str) -> Task:
    """Remove a task that waits (ready, delayed or parked) and return what it was.

    Raises:
        NotFoundError: the broker has no message of this task.
        NotWaitingError: a worker holds it, or it is a dead letter.
    """
    task = find_task(store, task_id)
    if store.cancel(task_id):
        return task
    task = find_task(store, task_id)
    raise NotWaitingError(
        f"task {task_id!r} is {task.state}, and only a task that waits can be cancelled",
        hint=_remedy(task),
        task_id=task_id,
        state=task.state,
    )


def _remedy(task: Task) -> str:
    if task.state == "dead":
        return f"umbel deadletters discard --task-id {task.task_id}"
    return f"ask its worker to revoke it: celery -A module:app control revoke {task.task_id}"


def _seen(store: Store, found: Found) -> Task:
    envelope = found.envelope
    names = {info.id: info.name for info in store.consumers()} if found.owner else {}
    return Task(
        task_id=envelope.task_id,
        task=envelope.task,
        queue=found.queue,
        state=found.state,
        priority=envelope.priority,
        replay=envelope.replay,
        worker=names.get(found.owner or "", found.owner),
        due_at=to_datetime(envelope.visible_at) if envelope.visible_at else None,
        expires_at=None if envelope.expires_at is None else to_datetime(envelope.expires_at),
    )
