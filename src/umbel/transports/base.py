"""The contracts that every queue store keeps, each with the race it must win.

The words: a **consumer** is one process that claims messages; it is alive while its lease is
renewed. A **claim** gives a consumer a message until it settles it or dies. A **receipt** names one
claim of one message; it is opaque, and a later claim of the same message has another receipt, so
that nothing which an earlier owner does can settle it (fencing). To **settle** is to ack, to
dead-letter, to park or to release.

    publish ─► delayed ─due─► ready ─claim─► claimed ─ack──────────► gone
                                ▲               ├──dead_letter────► dead letter ─replay─► ready
                                │               ├──park───────────► parked ─unpark─► ready
                                ├───release─────┤
                                └───reap (owner died: redelivered, maybe with a verdict)

All methods are thread-safe, and safe in a child process after a fork. A batch is one transaction:
all of it or nothing. Nothing is atomic across queues. Times are on ``Clock.now()``.
Failures raise :class:`~umbel.errors.StorageError` or a subclass.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from umbel.clock import Timestamp
from umbel.message import Envelope
from umbel.outcomes import Reason, Verdict

__all__ = [
    "Binding",
    "Bindings",
    "Burial",
    "Claim",
    "ClaimBatch",
    "ConsumerInfo",
    "DeadLetter",
    "DeadLetterFilter",
    "DeadLetters",
    "Found",
    "Inspection",
    "Isolation",
    "Parking",
    "Presence",
    "QueueOptions",
    "QueueStats",
    "QueueStore",
    "Reaped",
    "Receipt",
    "Store",
    "Wakeup",
]

Receipt = str
"""Names one claim of one message; opaque, at most 100 ASCII characters."""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """``expires``: delete the queue when unused for so many seconds. ``message_ttl``: seconds that a
    message may wait. ``owner``: delete the queue when this consumer is gone. None: never.
    """

    expires: float | None = None
    message_ttl: float | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed message. ``crashes`` counts deaths while it ran alone. A ``suspect`` must run alone,
    after :meth:`Isolation.isolate`. With a ``verdict`` the body must not run: the failure is recorded.
    """

    receipt: Receipt
    queue: str
    envelope: Envelope
    redelivered: bool = False
    deliveries: int = 1
    crashes: int = 0
    suspect: bool = False
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class ClaimBatch:
    """What one claim got, and when the queue's next delayed message is due (None: none waits)."""

    claims: Sequence[Claim]
    next_due: Timestamp | None = None


@dataclass(frozen=True, slots=True)
class Burial:
    """An order to move a claimed message to the dead letters; ``error`` is the error contract's form."""

    receipt: Receipt
    reason: Reason
    error: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reaped:
    """What a reap did, as task ids: plainly released, released as suspects, crashed while alone
    (released with a higher count), and given a verdict.
    """

    released: Sequence[str] = ()
    suspects: Sequence[str] = ()
    crashed: Sequence[str] = ()
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConsumerInfo:
    """A registered consumer. ``name`` is the worker's node name, ``host`` identifies one boot of one
    kernel, ``run_table`` is the path of its run table on that host, ``claims`` counts what it holds.
    """

    id: str
    name: str
    host: str
    pid: int
    started_at: Timestamp
    lease_until: Timestamp
    run_table: str | None = None
    claims: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that will not be retried, with the failure in the error contract's form."""

    id: str
    queue: str
    envelope: Envelope
    reason: Reason
    error: Mapping[str, Any]
    died_at: Timestamp
    deliveries: int
    crashes: int


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters; every field that is not None must match. ``before`` and ``after`` bound
    ``died_at``; ``limit`` bounds the number, newest first.
    """

    ids: Collection[str] | None = None
    queue: str | None = None
    task: str | None = None
    task_id: str | None = None
    reason: Reason | None = None
    error_code: str | None = None
    before: Timestamp | None = None
    after: Timestamp | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Counts by state; ``oldest_ready`` is when the oldest waiting message became claimable."""

    queue: str
    ready: int
    delayed: int
    claimed: int
    parked: int
    dead: int
    paused: bool
    oldest_ready: Timestamp | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Where a message is: ``state`` is ready, delayed, claimed, parked or dead."""

    queue: str
    state: str
    envelope: Envelope
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """A queue bound to an exchange; ``pattern`` is the exchange type's compiled key."""

    exchange: str
    routing_key: str
    pattern: str
    queue: str


@runtime_checkable
class QueueStore(Protocol):
    """Queues of messages under leases."""

    def create(self, queue: str, options: QueueOptions | None = None) -> None:
        """Create the queue; creating it again changes nothing but ``options`` that are given."""
        ...

    def delete(self, queue: str) -> int:
        """Delete the queue with its bindings and waiting messages; return how many were dropped.

        Dead letters stay. A claim that is out settles nothing any more (its ack is fenced).
        """
        ...

    def publish(self, queue: str, envelopes: Sequence[Envelope]) -> Sequence[bool]:
        """Store all of them, in order; the queue is created when missing.

        False marks an envelope whose ``dedup`` was already published within the window: it was
        dropped. Race: two publishers of one ``dedup`` at once store one message.
        """
        ...

    def claim(
        self,
        queue: str,
        consumer: str,
        limit: int,
        *,
        skip_groups: Collection[str] = (),
    ) -> ClaimBatch:
        """Claim up to ``limit`` due messages for a registered consumer: by priority, 9 first, then in
        the order of publishing. Messages of ``skip_groups`` stay. A paused queue gives nothing.

        Race: no message is given to two consumers, and a crash right after leaves it claimed by a
        consumer that :meth:`reap` will find.
        """
        ...

    def ack(self, receipts: Sequence[Receipt]) -> Collection[Receipt]:
        """Remove claimed messages for good; return the receipts that no longer owned their message.

        Race: a receipt of a process that was declared dead settles nothing.
        """
        ...

    def release(self, receipts: Sequence[Receipt], *, visible_at: Timestamp | None = None) -> Collection[Receipt]:
        """Give claimed messages back, to their old place, marked redelivered; no crash is counted.

        Return the receipts that were fenced.
        """
        ...

    def dead_letter(self, burials: Sequence[Burial]) -> Collection[Receipt]:
        """Move claimed messages to the dead letters, atomically with their ack; return the fenced."""
        ...

    def reap(
        self,
        consumer: str,
        *,
        started: Collection[Receipt] | None,
        verdicts: Mapping[Receipt, Verdict] | None = None,
        crash_limit: int = 3,
    ) -> Reaped:
        """Release everything that a dead consumer held, and forget the consumer. Never settles.

        ``started`` are the claims whose bodies were running: alone (one started, or isolated) counts
        a crash, and ``crash_limit`` crashes make the verdict POISON; several are suspects; the rest
        is released without blame. None: unknown, so all that was not isolated is suspect. An empty
        collection blames nobody. ``verdicts`` are set as given.
        Race: of two reapers at once one does it, and the other finds nothing.
        """
        ...

    def size(self, queue: str) -> int:
        """Return how many messages wait (ready or delayed). 0 for an unknown queue."""
        ...

    def purge(self, queue: str) -> int:
        """Remove the waiting messages; claimed, parked and dead ones stay. Return how many."""
        ...


@runtime_checkable
class Presence(Protocol):
    """Who is alive. On the consumer's own host a kernel lock that dies with the process decides; from
    other hosts the lease does.
    """

    def register(self, name: str, *, lease: float, run_table: str | None = None) -> str:
        """Make this process a consumer and return its id. The lease lasts ``lease`` seconds."""
        ...

    def renew(self, consumers: Sequence[str], *, lease: float) -> Collection[str]:
        """Prolong leases; return the ids that are unknown: they were declared dead."""
        ...

    def retire(self, consumer: str) -> None:
        """Unregister; claims that it still holds are released without blame."""
        ...

    def consumers(self) -> Sequence[ConsumerInfo]:
        """Return all registered consumers, dead ones included until they are reaped."""
        ...

    def dead(self) -> Sequence[ConsumerInfo]:
        """Return the consumers whose process is gone (same host) or whose lease has run out (others)."""
        ...


@runtime_checkable
class Isolation(Protocol):
    """Makes the next death count."""

    def isolate(self, receipt: Receipt) -> bool:
        """Record durably that this suspect is about to run alone; False when the claim is fenced."""
        ...

    def crash(self, receipt: Receipt, *, crash_limit: int = 3) -> Reaped:
        """Release one claim whose body's own process died alone (a prefork child), counting a crash."""
        ...


@runtime_checkable
class Parking(Protocol):
    """Messages that no worker knows yet."""

    def park(self, receipts: Sequence[Receipt]) -> Collection[Receipt]:
        """Set claimed messages aside until a worker knows their task; return the fenced."""
        ...

    def unpark(self, queue: str, tasks: Collection[str]) -> int:
        """Make the parked messages of these task names ready, in their old place; return how many."""
        ...


@runtime_checkable
class DeadLetters(Protocol):
    """The dead letters of all queues: the truth, bounded in age and number."""

    def list_dead(self, where: DeadLetterFilter) -> Sequence[DeadLetter]:
        """Return those that match, newest first."""
        ...

    def count_dead(self, where: DeadLetterFilter) -> int:
        """Return how many match; ``limit`` is ignored."""
        ...

    def bury(self, queue: str, envelope: Envelope, reason: Reason, error: Mapping[str, Any]) -> str:
        """Add a dead letter for a message that is not claimed (it was acked early); return its id."""
        ...

    def replay(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Move dead letters back to their queues as ready; return {dead letter id: task id}.

        The replay number rises, retries and crashes start again at 0. Race: replaying one letter
        twice at once publishes it once.
        """
        ...

    def discard(self, ids: Sequence[str]) -> int:
        """Remove dead letters for good; return how many."""
        ...

    def prune_dead(self, *, max_age: float, max_count: int) -> int:
        """Remove dead letters older than ``max_age`` seconds, then the oldest over ``max_count``."""
        ...


@runtime_checkable
class Inspection(Protocol):
    """What operators ask of queues."""

    def queues(self) -> Sequence[QueueStats]:
        """Return the counts of every queue, by name; transient (owned) queues are left out."""
        ...

    def find(self, task_id: str) -> Found | None:
        """Return where a message is, or None."""
        ...

    def held(self, consumer: str) -> Sequence[Found]:
        """Return the messages that a consumer has claimed and not settled, in no particular order.

        Nothing for an unknown consumer. Race: it says what was true at one moment.
        """
        ...

    def cancel(self, task_id: str) -> bool:
        """Remove a message that waits (ready, delayed, parked); False when there is none."""
        ...

    def pause(self, queue: str) -> None:
        """Stop claims from the queue, on every worker, until resumed; survives restarts."""
        ...

    def resume(self, queue: str) -> None:
        """Let claims go on."""
        ...


@runtime_checkable
class Bindings(Protocol):
    """Exchanges: which queues get what is published to them; also the base of fanout."""

    def bind(self, binding: Binding) -> None:
        """Add a binding; adding it again changes nothing."""
        ...

    def unbind(self, binding: Binding) -> None:
        """Remove a binding; removing an unknown one changes nothing."""
        ...

    def bindings(self, exchange: str) -> Sequence[Binding]:
        """Return the bindings of an exchange."""
        ...

    def queue_exists(self, queue: str) -> bool:
        """Return whether the queue exists, for passive declaration."""
        ...

    def sweep(self) -> int:
        """Delete queues that have expired or whose owner is gone, and old deduplication keys."""
        ...


class Wakeup(Protocol):
    """Wakes a waiting consumer when something was published. Spurious wake-ups are allowed; a missed
    one costs at most the consumer's poll interval.
    """

    def fileno(self) -> int:
        """Return a descriptor that becomes readable."""
        ...

    def clear(self) -> None:
        """Make it unreadable again; call before looking into the queues."""
        ...

    def close(self) -> None:
        """Release the descriptor; closing twice is harmless."""
        ...


class Store(QueueStore, Presence, Isolation, Parking, DeadLetters, Inspection, Bindings, Protocol):
    """A whole store: what the channel, the worker and the operator's commands use."""

    def wakeup(self) -> Wakeup:
        """Return a new waker that fires on every later publish, release, replay, unpark or resume."""
        ...

    def close(self) -> None:
        """Release this process's connections and its consumer registrations' locks."""
        ...
