"""Queues and claims."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from umbel.clock import Timestamp
from umbel.message import LAYOUT, Envelope
from umbel.transports.base import Claim, ClaimBatch, QueueOptions
from umbel.transports.memory.core import Core
from umbel.transports.memory.state import Message, MessageState, Queue

__all__ = ["QueuesPart"]


class QueuesPart(Core):
    """The queues' half of :class:`umbel.transports.base.QueueStore`."""

    def create(self, queue: str, options: QueueOptions | None = None) -> None:
        """Create the queue, or change the options that are given."""
        wanted = options or QueueOptions()
        given = {name: value for name in QueueOptions.__slots__ if (value := getattr(wanted, name)) is not None}
        with self._state.lock:
            found = self._queue(queue, self._clock.now())
            found.used_at = self._clock.now()
            found.options = replace(found.options, **given)

    def delete(self, queue: str) -> int:
        """Delete the queue with its bindings and messages; return how many waited."""
        with self._state.lock:
            return self._drop_queue(queue)

    def publish(self, queue: str, envelopes: Sequence[Envelope]) -> Sequence[bool]:
        """Store all of them, in order; False marks a repeat."""
        if not envelopes:
            return []
        now = self._clock.now()
        with self._state.lock:
            target = self._queue(queue, now)
            stored = [item.dedup is None or self._remember(queue, item.dedup, now) for item in envelopes]
            for envelope, new in zip(envelopes, stored, strict=True):
                if new:
                    self._insert(target, envelope, now)
        self._state.bell.ring()
        return stored

    def claim(self, queue: str, consumer: str, limit: int, *, skip_groups: Collection[str] = ()) -> ClaimBatch:
        """Claim up to ``limit`` due messages. A consumer that was declared dead gets none."""
        now = self._clock.now()
        with self._state.lock:
            target = self._state.queues.get(queue)
            if target is None or target.paused or consumer not in self._state.consumers:
                return ClaimBatch(())
            target.used_at = now
            target.promote(now)
            taken = [_take(message, consumer) for message in self._candidates(target, limit, skip_groups, now)]
            return ClaimBatch(taken, target.next_due())

    def size(self, queue: str) -> int:
        """Return how many messages wait."""
        with self._state.lock:
            target = self._state.queues.get(queue)
            return len(target.in_state(MessageState.READY, MessageState.DELAYED)) if target else 0

    def purge(self, queue: str) -> int:
        """Remove the waiting messages; return how many."""
        with self._state.lock:
            target = self._state.queues.get(queue)
            waiting = target.in_state(MessageState.READY, MessageState.DELAYED) if target else []
            for message in waiting:
                self._state.drop(message)
            return len(waiting)

    def _candidates(self, queue: Queue, limit: int, skip_groups: Collection[str], now: Timestamp) -> list[Message]:
        ttl = queue.options.message_ttl
        taken: list[Message] = []
        left: list[Message] = []
        while len(taken) < limit and (message := queue.next_ready()) is not None:
            if ttl is not None and message.ready_at < now - ttl:
                self._state.drop(message)
            elif message.envelope.layout > LAYOUT or message.envelope.group_key in skip_groups:
                left.append(message)
            else:
                taken.append(message)
        for message in left:
            queue.enqueue(message, message.ready_at)
        return taken

    def _remember(self, queue: str, key: str, now: Timestamp) -> bool:
        until = self._state.dedup.get((queue, key))
        if until is not None and until > now:
            return False
        self._state.dedup[queue, key] = Timestamp(now + self._dedup_window)
        return True

    def _drop_queue(self, name: str) -> int:
        state = self._state
        state.bindings = {binding: None for binding in state.bindings if binding.queue != name}
        queue = state.queues.pop(name, None)
        if queue is None:
            return 0
        waiting = queue.in_state(MessageState.READY, MessageState.DELAYED, MessageState.PARKED)
        for message in list(queue.messages.values()):
            state.drop(message)
        state.dedup = {key: until for key, until in state.dedup.items() if key[0] != name}
        return len(waiting)


def _take(message: Message, consumer: str) -> Claim:
    message.state = MessageState.CLAIMED
    message.owner = consumer
    message.alone = False
    message.deliveries += 1
    return Claim(
        receipt=message.receipt,
        queue=message.queue.name,
        envelope=message.envelope,
        redelivered=message.deliveries > 1,
        deliveries=message.deliveries,
        crashes=message.crashes,
        suspect=message.suspect,
        verdict=message.verdict,
    )
