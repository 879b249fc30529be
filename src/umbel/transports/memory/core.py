"""What the store's parts share: the state behind a name, the clock, this handle's identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from umbel.clock import Clock, SystemClock, Timestamp
from umbel.message import Envelope
from umbel.transports.memory.state import Message, MessageState, Queue, shared_state

__all__ = ["Core"]


class Core:
    """One handle on a named state. The contracts are mixed in; see ``store.py``."""

    def __init__(self, name: str, *, clock: Clock | None = None, options: Mapping[str, Any] | None = None) -> None:
        given = dict(options or {})
        self._clock: Clock = clock or SystemClock()
        self._dedup_window = float(given.get("dedup_window", 3_600.0))
        self._host = str(given.get("host") or "memory")
        self._state = shared_state(name)
        self.name = name

    def _queue(self, name: str, now: Timestamp) -> Queue:
        """Return the queue, made when it is missing."""
        queue = self._state.queues.get(name)
        if queue is None:
            queue = self._state.queues[name] = Queue(name, now)
        return queue

    def _insert(self, queue: Queue, envelope: Envelope, now: Timestamp) -> None:
        self._state.last_message += 1
        message = Message(self._state.last_message, queue, envelope, MessageState.READY, now)
        self._state.messages[message.number] = message
        queue.add(message, now)
