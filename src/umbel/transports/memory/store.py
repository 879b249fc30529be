"""The memory store, put together from its contracts."""

from __future__ import annotations

from umbel.transports.base import Wakeup
from umbel.transports.memory.inspection import InspectionPart
from umbel.transports.memory.presence import PresencePart

__all__ = ["MemoryStore"]


class MemoryStore(PresencePart, InspectionPart):
    """Queues in this process's memory; see :class:`umbel.transports.base.Store`.

    Options: ``dedup_window`` (seconds) and ``host`` (consumers of another host are alive by their
    lease alone). Claiming costs time in proportion to the messages of blocked groups ahead.

    >>> store = MemoryStore("example")
    >>> store.size("celery")
    0
    """

    def wakeup(self) -> Wakeup:
        """Return a new waker."""
        return self._state.bell.waiter()

    def close(self) -> None:
        """Let go of the consumers that were registered here: they are dead now."""
        with self._state.lock:
            for consumer in self._state.consumers.values():
                if consumer.keeper is self:
                    consumer.keeper = None
