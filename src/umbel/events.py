"""What happens, as frozen values: the lowest thing that everything may use.

Code below `observability` never formats a log line: it emits an event. Subscribers run at once, in the
emitting thread, and must be quick; one that raises is reported on stderr and harms nobody.
``docs/reference/events.md`` is the one table of fields, and a test keeps it so.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

__all__ = [
    "ChordFailed",
    "ClaimFailed",
    "ClaimFenced",
    "ConsumerReaped",
    "DeadLettered",
    "DutyFailed",
    "Event",
    "LeaseRenewalFailed",
    "MessageParked",
    "MessageUndecodable",
    "SettlementFailed",
    "ShardExited",
    "ShardStarted",
    "SubscriberFailed",
    "TaskIsolated",
    "VerdictRecorded",
    "WorkerDraining",
    "WorkerReady",
    "WorkerStopped",
    "catalogue",
    "emit",
    "subscribe",
]


@dataclass(frozen=True, slots=True)
class Event:
    """The root of all events; ``name`` is the stable dotted name."""

    name: ClassVar[str] = "event"

    def fields(self) -> dict[str, Any]:
        """Return the event's own fields by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class ClaimFailed(Event):
    """A queue could not be asked for messages just now; it is asked again soon."""

    name: ClassVar[str] = "claim.failed"
    queue: str
    problem: str


@dataclass(frozen=True, slots=True)
class ChordFailed(Event):
    """A chord's body was failed instead of published; ``body`` is its task's name."""

    name: ClassVar[str] = "chord.failed"
    group_id: str
    body: str
    problem: str


@dataclass(frozen=True, slots=True)
class ClaimFenced(Event):
    """A process that had been declared dead tried to settle; nothing was settled."""

    name: ClassVar[str] = "claim.fenced"
    operation: str
    receipts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsumerReaped(Event):
    """A dead consumer's claims were released."""

    name: ClassVar[str] = "consumer.reaped"
    consumer: str
    released: tuple[str, ...]
    suspects: tuple[str, ...]
    crashed: tuple[str, ...]
    verdicts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DeadLettered(Event):
    """A message will not be retried and is now a dead letter."""

    name: ClassVar[str] = "message.dead_lettered"
    queue: str
    task: str
    task_id: str
    reason: str
    error_code: str


@dataclass(frozen=True, slots=True)
class DutyFailed(Event):
    """Something that a worker does now and then has failed, most likely because its broker is away; it is
    tried again soon.
    """

    name: ClassVar[str] = "worker.duty_failed"
    worker: str
    problem: str


@dataclass(frozen=True, slots=True)
class LeaseRenewalFailed(Event):
    """A consumer's lease could not be renewed, or dead consumers not be looked for; tried again soon."""

    name: ClassVar[str] = "lease.renewal_failed"
    consumers: tuple[str, ...]
    problem: str


@dataclass(frozen=True, slots=True)
class MessageParked(Event):
    """No worker here knows the message's task; it waits for one that does."""

    name: ClassVar[str] = "message.parked"
    queue: str
    task: str
    task_id: str


@dataclass(frozen=True, slots=True)
class MessageUndecodable(Event):
    """A message could not be decoded; it goes to the dead letters."""

    name: ClassVar[str] = "message.undecodable"
    queue: str
    task_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class SettlementFailed(Event):
    """Results or acks could not be stored; the acks are withheld and tried again."""

    name: ClassVar[str] = "settlement.failed"
    pending: int
    problem: str


@dataclass(frozen=True, slots=True)
class ShardStarted(Event):
    """A shard process consumes."""

    name: ClassVar[str] = "shard.started"
    shard: str
    pid: int


@dataclass(frozen=True, slots=True)
class ShardExited(Event):
    """A shard process is gone; ``cause`` is in words, ``running`` the task ids whose bodies ran."""

    name: ClassVar[str] = "shard.exited"
    shard: str
    pid: int
    cause: str
    running: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SubscriberFailed(Event):
    """A subscriber raised; the event that it missed is named."""

    name: ClassVar[str] = "subscriber.failed"
    event: str
    problem: str


@dataclass(frozen=True, slots=True)
class TaskIsolated(Event):
    """A suspect runs alone in its shard."""

    name: ClassVar[str] = "task.isolated"
    task_id: str
    crashes: int


@dataclass(frozen=True, slots=True)
class VerdictRecorded(Event):
    """A message came back with a verdict; its failure was recorded instead of running it."""

    name: ClassVar[str] = "task.verdict"
    task: str
    task_id: str
    verdict: str


@dataclass(frozen=True, slots=True)
class WorkerDraining(Event):
    """The worker finishes what runs and claims nothing more."""

    name: ClassVar[str] = "worker.draining"
    worker: str
    cause: str


@dataclass(frozen=True, slots=True)
class WorkerReady(Event):
    """All shards of the worker consume."""

    name: ClassVar[str] = "worker.ready"
    worker: str
    shards: int
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkerStopped(Event):
    """The worker has ended; what it had not finished went back to its queues."""

    name: ClassVar[str] = "worker.stopped"
    worker: str
    exit_code: int


E = TypeVar("E", bound=Event)
_subscribers: list[tuple[type[Event], Callable[[Any], None]]] = []


def subscribe(kind: type[E], handler: Callable[[E], None]) -> Callable[[], None]:
    """Call ``handler`` with every later event of this type; return a function that ends it."""
    entry = (kind, handler)
    _subscribers.append(entry)

    def unsubscribe() -> None:
        if entry in _subscribers:
            _subscribers.remove(entry)

    return unsubscribe


def emit(event: Event) -> None:
    """Give the event to everybody who subscribed to its type."""
    for kind, handler in tuple(_subscribers):
        if isinstance(event, kind):
            try:
                handler(event)
            except Exception as problem:  # noqa: BLE001 - a listener must never break the emitter
                _report(event, problem)


def catalogue() -> list[type[Event]]:
    """Return all event types, by name."""
    # A dataclass with slots is made anew, and its first form stays a subclass until it is collected: the last counts.
    latest = {kind.name: kind for kind in Event.__subclasses__()}
    return [latest[name] for name in sorted(latest)]


def _report(event: Event, problem: Exception) -> None:
    if isinstance(event, SubscriberFailed):
        traceback.print_exception(problem, file=sys.stderr)
        return
    emit(SubscriberFailed(event=event.name, problem=repr(problem)))
