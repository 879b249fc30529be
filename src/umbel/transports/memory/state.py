"""What a memory store holds, shared by all who opened the same name; every access is under its lock."""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass, field, replace
from enum import IntEnum

from umbel.clock import Timestamp
from umbel.database.forks import renew_in_children
from umbel.message import Envelope
from umbel.outcomes import Verdict
from umbel.transports.base import Binding, ConsumerInfo, DeadLetter, QueueOptions
from umbel.transports.memory.bell import Bell

__all__ = ["Consumer", "Message", "MessageState", "Queue", "State", "shared_state"]


class MessageState(IntEnum):
    """Where a message is in its life."""

    READY = 0
    DELAYED = 1
    CLAIMED = 2
    PARKED = 3


@dataclass(slots=True)
class Message:
    """A stored message; ``number`` is its place in the order of publishing."""

    number: int
    queue: Queue
    envelope: Envelope
    state: MessageState
    ready_at: Timestamp
    owner: str | None = None
    deliveries: int = 0
    crashes: int = 0
    suspect: bool = False
    alone: bool = False
    verdict: Verdict | None = None

    @property
    def receipt(self) -> str:
        """The name of the current claim."""
        return f"{self.number}.{self.deliveries}"


@dataclass(slots=True)
class Queue:
    """A queue with two heaps. An entry whose message has moved on since is skipped when it is met."""

    name: str
    used_at: Timestamp
    options: QueueOptions = field(default_factory=QueueOptions)
    paused: bool = False
    messages: dict[int, Message] = field(default_factory=dict)
    ready: list[tuple[int, int]] = field(default_factory=list)
    delayed: list[tuple[float, int]] = field(default_factory=list)

    def add(self, message: Message, now: Timestamp) -> None:
        """Put a message, new or come back, where its time says."""
        due = message.envelope.visible_at
        self.messages[message.number] = message
        message.owner, message.alone = None, False
        if due > now:
            message.state, message.ready_at = MessageState.DELAYED, due
            heapq.heappush(self.delayed, (due, message.number))
        else:
            self.enqueue(message, now)

    def enqueue(self, message: Message, ready_at: Timestamp) -> None:
        """Make a message ready, in its place."""
        message.state, message.ready_at = MessageState.READY, ready_at
        heapq.heappush(self.ready, (-message.envelope.priority, message.number))

    def promote(self, now: Timestamp) -> None:
        """Make everything ready that is due."""
        while self.delayed and self.delayed[0][0] <= now:
            due, number = heapq.heappop(self.delayed)
            message = self._delayed(due, number)
            if message is not None:
                self.enqueue(message, Timestamp(due))

    def next_due(self) -> Timestamp | None:
        """Return when the next delayed message is due."""
        while self.delayed:
            due, number = self.delayed[0]
            if self._delayed(due, number) is not None:
                return Timestamp(due)
            heapq.heappop(self.delayed)
        return None

    def next_ready(self) -> Message | None:
        """Take the most urgent ready message off the heap; the caller enqueues it again or claims it."""
        while self.ready:
            _, number = heapq.heappop(self.ready)
            message = self.messages.get(number)
            if message is not None and message.state is MessageState.READY:
                return message
        return None

    def in_state(self, *states: MessageState) -> list[Message]:
        """Return the messages in these states, in the order of publishing."""
        return sorted(
            (message for message in self.messages.values() if message.state in states),
            key=lambda message: message.number,
        )

    def _delayed(self, due: float, number: int) -> Message | None:
        message = self.messages.get(number)
        if message is None or message.state is not MessageState.DELAYED or message.envelope.visible_at != due:
            return None
        return message


@dataclass(slots=True)
class Consumer:
    """A registered consumer and the handle that keeps it alive; None once that was closed."""

    info: ConsumerInfo
    keeper: object | None

    def renew(self, until: Timestamp) -> None:
        """Prolong the lease."""
        self.info = replace(self.info, lease_until=until)


class State:
    """Everything under one name."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.queues: dict[str, Queue] = {}
        self.messages: dict[int, Message] = {}
        self.consumers: dict[str, Consumer] = {}
        self.letters: dict[str, DeadLetter] = {}
        self.bindings: dict[Binding, None] = {}
        self.dedup: dict[tuple[str, str], Timestamp] = {}
        self.bell = Bell()
        self.last_message = 0
        self.last_letter = 0
        self.last_consumer = 0
        renew_in_children(self)

    def after_fork_in_child(self) -> None:
        """Go on with a copy; the parent's consumers are not this process's."""
        self.lock = threading.RLock()
        for consumer in self.consumers.values():
            consumer.keeper = None

    def owned(self, receipt: str) -> Message | None:
        """Return the message that this receipt owns, if it still does."""
        number = receipt.partition(".")[0]
        message = self.messages.get(int(number)) if number.isdecimal() else None
        if message is None or message.state is not MessageState.CLAIMED or message.receipt != receipt:
            return None
        return message

    def drop(self, message: Message) -> None:
        """Remove a message for good."""
        self.messages.pop(message.number, None)
        message.queue.messages.pop(message.number, None)


_states: dict[str, State] = {}
_states_lock = threading.Lock()


def shared_state(name: str) -> State:
    """Return the state of this name, made when it is new."""
    with _states_lock:
        return _states.setdefault(name, State())
