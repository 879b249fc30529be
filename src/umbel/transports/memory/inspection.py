"""What operators ask of queues, and the exchanges' bindings."""

from __future__ import annotations

from collections.abc import Sequence

from umbel.clock import Timestamp
from umbel.errors import QueueNotFoundError
from umbel.transports.base import Binding, Found, QueueStats
from umbel.transports.memory.queues import QueuesPart
from umbel.transports.memory.state import Message, MessageState, Queue

__all__ = ["InspectionPart"]


class InspectionPart(QueuesPart):
    """:class:`umbel.transports.base.Inspection` and :class:`umbel.transports.base.Bindings`."""

    def queues(self) -> Sequence[QueueStats]:
        """Return the counts of every queue, by name."""
        with self._state.lock:
            lasting = [queue for queue in self._state.queues.values() if queue.options.owner is None]
            return [self._stats(queue) for queue in sorted(lasting, key=lambda queue: queue.name)]

    def find(self, task_id: str) -> Found | None:
        """Return where a message is, or None; of several with one id, the newest that is not dead."""
        with self._state.lock:
            found = max(self._with_id(task_id), key=lambda message: message.number, default=None)
            if found is not None:
                return Found(found.queue.name, self._condition(found).name.lower(), found.envelope, found.owner)
            letters = [letter for letter in self._state.letters.values() if letter.envelope.task_id == task_id]
            newest = max(letters, key=lambda letter: (letter.died_at, int(letter.id)), default=None)
            return Found(newest.queue, "dead", newest.envelope) if newest else None

    def held(self, consumer: str) -> Sequence[Found]:
        """Return the messages that a consumer has claimed and not settled."""
        with self._state.lock:
            return [
                Found(message.queue.name, "claimed", message.envelope, consumer)
                for message in self._state.messages.values()
                if message.owner == consumer and message.state is MessageState.CLAIMED
            ]

    def cancel(self, task_id: str) -> bool:
        """Remove a message that waits; False when there is none."""
        with self._state.lock:
            waiting = [message for message in self._with_id(task_id) if message.state is not MessageState.CLAIMED]
            for message in waiting:
                self._state.drop(message)
            return bool(waiting)

    def pause(self, queue: str) -> None:
        """Stop claims from the queue. Raises QueueNotFoundError for an unknown one."""
        self._set_paused(queue, paused=True)

    def resume(self, queue: str) -> None:
        """Let claims go on. Raises QueueNotFoundError for an unknown queue."""
        self._set_paused(queue, paused=False)
        self._state.bell.ring()

    def bind(self, binding: Binding) -> None:
        """Add a binding."""
        with self._state.lock:
            self._state.bindings[binding] = None

    def unbind(self, binding: Binding) -> None:
        """Remove a binding."""
        with self._state.lock:
            self._state.bindings.pop(binding, None)

    def bindings(self, exchange: str) -> Sequence[Binding]:
        """Return the bindings of an exchange."""
        with self._state.lock:
            found = [binding for binding in self._state.bindings if binding.exchange == exchange]
        return sorted(found, key=lambda binding: (binding.queue, binding.routing_key, binding.pattern))

    def queue_exists(self, queue: str) -> bool:
        """Return whether the queue exists."""
        return queue in self._state.queues

    def sweep(self) -> int:
        """Delete outdated queues, messages that waited for too long, and old deduplication keys.

        Return how many queues were deleted.
        """
        now = self._clock.now()
        with self._state.lock:
            outdated = [queue.name for queue in self._state.queues.values() if self._is_outdated(queue, now)]
            for name in outdated:
                self._drop_queue(name)
            for message in [item for item in self._state.messages.values() if _is_outlived(item, now)]:
                self._state.drop(message)
            self._state.dedup = {key: until for key, until in self._state.dedup.items() if until > now}
        return len(outdated)

    def _set_paused(self, queue: str, *, paused: bool) -> None:
        with self._state.lock:
            target = self._state.queues.get(queue)
            if target is None:
                raise QueueNotFoundError(f"there is no queue named {queue!r} in memory://{self.name}", queue=queue)
            target.paused = paused

    def _stats(self, queue: Queue) -> QueueStats:
        messages = list(queue.messages.values())
        states = [self._condition(message) for message in messages]
        ready = [
            message.ready_at for message, state in zip(messages, states, strict=True) if state is MessageState.READY
        ]
        return QueueStats(
            queue=queue.name,
            ready=len(ready),
            delayed=states.count(MessageState.DELAYED),
            claimed=states.count(MessageState.CLAIMED),
            parked=states.count(MessageState.PARKED),
            dead=sum(letter.queue == queue.name for letter in self._state.letters.values()),
            paused=queue.paused,
            oldest_ready=min(ready, default=None),
        )

    def _condition(self, message: Message) -> MessageState:
        due = message.state is MessageState.DELAYED and message.envelope.visible_at <= self._clock.now()
        return MessageState.READY if due else message.state

    def _with_id(self, task_id: str) -> list[Message]:
        return [message for message in self._state.messages.values() if message.envelope.task_id == task_id]

    def _is_outdated(self, queue: Queue, now: Timestamp) -> bool:
        options = queue.options
        if options.owner is not None:
            return options.owner not in self._state.consumers
        unused = options.expires is not None and queue.used_at + options.expires <= now
        return unused and not queue.in_state(MessageState.CLAIMED)


def _is_outlived(message: Message, now: Timestamp) -> bool:
    ttl = message.queue.options.message_ttl
    return ttl is not None and message.state is MessageState.READY and message.ready_at < now - ttl
