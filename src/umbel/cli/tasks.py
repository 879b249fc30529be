"""``umbel tasks``: one task in the broker, by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from umbel.cli.catalogue import InOrder
from umbel.cli.session import Session

if TYPE_CHECKING:
    from umbel.cli.rendering.output import Output
    from umbel.control.tasks import Task

__all__ = ["tasks"]


@click.group(cls=InOrder, no_args_is_help=True)
def tasks() -> None:
    """Find or cancel one task by its id."""


@tasks.command()
@click.argument("task_id", metavar="ID")
@click.pass_obj
def find(session: Session, task_id: str) -> None:
    """Show where task ID is: waiting, held by a worker, or dead."""
    from umbel.cli.rendering.output import Output
    from umbel.control.tasks import find_task

    out = Output(session)
    with session.store() as store:
        task = find_task(store, task_id)
    if not out.document(task):
        _describe(out, task)


@tasks.command()
@click.argument("task_id", metavar="ID")
@click.pass_obj
def cancel(session: Session, task_id: str) -> None:
    """Remove task ID from its queue before it runs.

    Works while it waits (ready, delayed or parked). A task that a worker holds already
    is revoked instead: celery -A module:app control revoke ID
    """
    from umbel.cli.rendering.output import Output
    from umbel.control.tasks import cancel_task

    out = Output(session)
    with session.store() as store:
        task = cancel_task(store, task_id)
    if not out.document(task):
        out.say(f"Cancelled {task.task} ({task.task_id}), which was {task.state} in {task.queue}.")


def _describe(out: Output, task: Task) -> None:
    from umbel.cli.rendering.times import until

    out.lines(
        (
            ("Task", f"{task.task} ({task.task_id})"),
            ("State", task.state),
            ("Queue", task.queue),
            ("Worker", task.worker or ""),
            ("Priority", str(task.priority)),
            ("Due", "" if task.due_at is None else until(task.due_at)),
            ("Expires", "" if task.expires_at is None else until(task.expires_at)),
            ("Replays", str(task.replay) if task.replay else ""),
        )
    )
