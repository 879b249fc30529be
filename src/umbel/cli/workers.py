"""``umbel workers``: who consumes, and what runs now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from umbel.cli.catalogue import InOrder
from umbel.cli.session import Session

if TYPE_CHECKING:
    from datetime import datetime

    from rich.text import Text

    from umbel.cli.rendering.tables import Grid
    from umbel.control.workers import RunningTask, Worker

__all__ = ["workers"]


@click.group(cls=InOrder, invoke_without_command=True)
@click.pass_context
def workers(context: click.Context) -> None:
    """Show who consumes, and what runs now.

    Without a command, lists every consumer process: the shards of Umbel's workers, and
    plain Celery workers. CLAIMS counts the messages it holds, RUNNING the bodies that
    run, DONE those that have ended; LEASE is when it is taken for dead without a sign of
    life. A dead one stays in the list until its messages were
    given back. RUNNING and DONE are known for shards on this host.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@workers.command("list")
@click.pass_obj
def list_command(session: Session) -> None:
    """List all consumers (the default)."""
    from umbel.cli.rendering.output import Output
    from umbel.control.workers import list_workers

    out = Output(session)
    with session.store() as store:
        found = list_workers(store)
    if out.document({"workers": found}):
        return
    if not found:
        out.remark(f"No workers on {session.broker_found().place}. Start one: umbel -A module:app worker")
        return
    out.show(_table(found))


@workers.command()
@click.pass_obj
def running(session: Session) -> None:
    """List the tasks whose bodies run now, the longest first.

    LEFT is the time until the task's hard limit, which ends it.
    """
    from umbel.cli.rendering.output import Output
    from umbel.control.workers import list_workers

    out = Output(session)
    with session.store() as store:
        found = list_workers(store)
    tasks = sorted((task for worker in found for task in worker.running), key=lambda task: task.started_at)
    if out.document({"running": tasks}):
        return
    if not tasks:
        out.remark("Nothing runs now on the shards of this host.")
        return
    out.show(_running_table(tasks))


def _table(found: tuple[Worker, ...]) -> Grid:
    from umbel.cli.rendering.tables import Column, Grid, count
    from umbel.cli.rendering.times import ago

    numbers = [Column(title, right=True) for title in ("PID", "CLAIMS", "RUNNING", "DONE")]
    columns = [Column("WORKER", soft=True), Column("STATE"), *numbers, Column("LEASE"), Column("UP")]
    rows = [
        (
            worker.name,
            _state(worker),
            str(worker.pid),
            count(worker.claims),
            count(len(worker.running)) if worker.state else "-",
            "-" if worker.executed is None else count(worker.executed),
            _left(worker.lease_until),
            ago(worker.started_at).removesuffix(" ago"),
        )
        for worker in found
    ]
    return Grid(columns, rows)


def _left(deadline: datetime) -> str:
    from umbel.cli.rendering.times import until

    words = until(deadline)
    return words.removeprefix("in ") if words.startswith("in ") else "expired"


def _state(worker: Worker) -> Text:
    from rich.text import Text

    if not worker.alive:
        return Text("dead", style="red")
    if worker.state in (None, "ready"):
        return Text(worker.state or "alive", style="green")
    return Text(worker.state, style="yellow")


def _running_table(tasks: list[RunningTask]) -> Grid:
    from umbel.cli.rendering.tables import Column, Grid
    from umbel.cli.rendering.times import ago

    columns = [
        Column("TASK ID"),
        Column("TASK", soft=True),
        Column("WORKER", soft=True),
        Column("FOR", right=True),
        Column("LEFT", right=True),
    ]
    rows = [
        (
            task.task_id,
            task.task or "-",
            task.worker,
            ago(task.started_at).removesuffix(" ago"),
            _left(task.must_end_by) if task.must_end_by else "-",
        )
        for task in tasks
    ]
    return Grid(columns, rows)
