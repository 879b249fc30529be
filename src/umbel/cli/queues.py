"""``umbel queues``: what waits, and pausing, resuming or purging one queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from umbel.cli.catalogue import InOrder
from umbel.cli.session import Session

if TYPE_CHECKING:
    from umbel.cli.rendering.tables import Grid
    from umbel.control.queues import Queue
    from umbel.transports.base import Store

__all__ = ["queues"]


@click.group(cls=InOrder, invoke_without_command=True)
@click.pass_context
def queues(context: click.Context) -> None:
    """Show what waits; pause, resume or purge a queue.

    Without a command, lists all queues: READY can run now, DELAYED waits for its time,
    CLAIMED is held by a worker, PARKED waits for a worker that knows its task, DEAD will
    not be retried (see: umbel deadletters). WAITING is since when the oldest ready
    message could have run.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@queues.command("list")
@click.pass_obj
def list_command(session: Session) -> None:
    """List all queues (the default)."""
    from umbel.cli.rendering.output import Output
    from umbel.control.queues import list_queues

    out = Output(session)
    with session.store() as store:
        found = list_queues(store)
    if out.document({"queues": found}):
        return
    if not found:
        out.remark(f"No queues yet in {session.broker_found().place}. Publish a task or start a worker.")
        return
    out.show(_table(found))


@queues.command()
@click.argument("name")
@click.pass_obj
def pause(session: Session, name: str) -> None:
    """Stop all workers from claiming from queue NAME.

    What a worker holds already still runs. The queue stays paused, over restarts too,
    until it is resumed.
    """
    from umbel.control.queues import pause_queue

    _change(session, name, pause_queue, "Paused")


@queues.command()
@click.argument("name")
@click.pass_obj
def resume(session: Session, name: str) -> None:
    """Let workers claim from queue NAME again."""
    from umbel.control.queues import resume_queue

    _change(session, name, resume_queue, "Resumed")


@queues.command()
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def purge(session: Session, name: str, *, yes: bool) -> None:
    """Remove what waits in queue NAME, ready and delayed.

    Claimed, parked and dead messages stay. This cannot be undone.
    """
    from umbel.cli.rendering.output import Output
    from umbel.control.queues import purge_queue, show_queue

    out = Output(session)
    with session.store() as store:
        queue = show_queue(store, name)
        waiting = queue.ready + queue.delayed
        out.confirm(f"Remove {waiting} waiting message{'s' * (waiting != 1)} of queue {name} for good?", yes=yes)
        purged = purge_queue(store, name)
    if not out.document(purged):
        out.say(f"Removed {purged.removed} message{'s' * (purged.removed != 1)} from {name}.")


def _change(session: Session, name: str, operation: Callable[[Store, str], Queue], done: str) -> None:
    from umbel.cli.rendering.output import Output

    out = Output(session)
    with session.store() as store:
        queue = operation(store, name)
    if not out.document(queue):
        out.say(f"{done} {name}: {queue.ready} ready, {queue.delayed} delayed, {queue.claimed} claimed.")


def _table(found: tuple[Queue, ...]) -> Grid:
    from rich.text import Text

    from umbel.cli.rendering.tables import Column, Grid, count
    from umbel.cli.rendering.times import ago

    numbers = [Column(title, right=True) for title in ("READY", "DELAYED", "CLAIMED", "PARKED", "DEAD")]
    columns = [Column("QUEUE", soft=True), *numbers, Column("WAITING"), Column("STATE")]
    rows = [
        (
            queue.name,
            count(queue.ready),
            count(queue.delayed),
            count(queue.claimed),
            count(queue.parked, style="yellow"),
            count(queue.dead, style="red"),
            ago(queue.oldest_ready).removesuffix(" ago"),
            Text("paused", style="yellow") if queue.paused else "open",
        )
        for queue in found
    ]
    return Grid(columns, rows)
