"""Queues as an operator sees them: what waits, since when, and stopping or emptying one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from umbel.clock import to_datetime
from umbel.errors import QueueNotFoundError
from umbel.transports.base import QueueStats, Store

__all__ = ["Purged", "Queue", "list_queues", "pause_queue", "purge_queue", "resume_queue", "show_queue"]


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue's messages by state; ``oldest_ready`` is since when the oldest of them could run."""

    name: str
    ready: int
    delayed: int
    claimed: int
    parked: int
    dead: int
    paused: bool
    oldest_ready: datetime | None


@dataclass(frozen=True, slots=True)
class Purged:
    """How many waiting messages a purge removed."""

    queue: str
    removed: int


def list_queues(store: Store) -> tuple[Queue, ...]:
    """Return every queue, by name."""
    return tuple(_seen(stats) for stats in store.queues())


def show_queue(store: Store, name: str) -> Queue:
    """Return one queue.

    Raises:
        QueueNotFoundError: there is none of this name; the hint names the nearest.
    """
    queues = {queue.name: queue for queue in list_queues(store)}
    if name in queues:
        return queues[name]
    near = get_close_matches(name, queues, n=1)
    raise QueueNotFoundError(
        f"queue {name!r} does not exist",
        hint=f"did you mean {near[0]!r}?" if near else None,
        queue=name,
    )


def pause_queue(store: Store, name: str) -> Queue:
    """Stop every worker from claiming from the queue; what is claimed already still runs.

    Raises:
        QueueNotFoundError: there is none of this name.
    """
    show_queue(store, name)
    store.pause(name)
    return show_queue(store, name)


def resume_queue(store: Store, name: str) -> Queue:
    """Let workers claim from the queue again.

    Raises:
        QueueNotFoundError: there is none of this name.
    """
    show_queue(store, name)
    store.resume(name)
    return show_queue(store, name)


def purge_queue(store: Store, name: str) -> Purged:
    """Remove what waits (ready and delayed); claimed, parked and dead messages stay.

    Raises:
        QueueNotFoundError: there is none of this name.
    """
    show_queue(store, name)
    return Purged(name, store.purge(name))


def _seen(stats: QueueStats) -> Queue:
    oldest = None if stats.oldest_ready is None else to_datetime(stats.oldest_ready)
    return Queue(
        name=stats.queue,
        ready=stats.ready,
        delayed=stats.delayed,
        claimed=stats.claimed,
        parked=stats.parked,
        dead=stats.dead,
        paused=stats.paused,
        oldest_ready=oldest,
    )
