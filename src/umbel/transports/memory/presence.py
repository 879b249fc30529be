"""Who is alive: for this host's consumers the handle that registered them, for all others the lease."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace

from umbel.clock import Timestamp
from umbel.transports.base import ConsumerInfo
from umbel.transports.memory.settlement import SettlementPart
from umbel.transports.memory.state import Consumer, MessageState

__all__ = ["PresencePart"]


class PresencePart(SettlementPart):
    """:class:`umbel.transports.base.Presence`."""

    def register(self, name: str, *, lease: float, run_table: str | None = None) -> str:
        """Register a consumer that lives until this handle is closed; return its id."""
        now = self._clock.now()
        with self._state.lock:
            self._state.last_consumer += 1
            consumer = f"{self._host[:40]}-{os.getpid()}-{self._state.last_consumer}"
            info = ConsumerInfo(
                consumer, name, self._host, os.getpid(), now, Timestamp(now + lease), run_table=run_table
            )
            self._state.consumers[consumer] = Consumer(info, keeper=self)
        return consumer

    def renew(self, consumers: Sequence[str], *, lease: float) -> Collection[str]:
        """Prolong leases; return the ids that are unknown."""
        until = Timestamp(self._clock.now() + lease)
        with self._state.lock:
            known = [self._state.consumers[name] for name in consumers if name in self._state.consumers]
            for consumer in known:
                consumer.renew(until)
            return [name for name in consumers if name not in self._state.consumers]

    def retire(self, consumer: str) -> None:
        """Unregister; claims that it still holds are released without blame."""
        self.reap(consumer, started=())

    def consumers(self) -> Sequence[ConsumerInfo]:
        """Return all registered consumers."""
        with self._state.lock:
            return [
                replace(consumer.info, claims=self._claims_of(name)) for name, consumer in self._state.consumers.items()
            ]

    def dead(self) -> Sequence[ConsumerInfo]:
        """Return the consumers whose handle is closed, or whose lease has run out on another host."""
        now = self._clock.now()
        with self._state.lock:
            return [info for info in self.consumers() if not self._is_alive(info, now)]

    def _is_alive(self, info: ConsumerInfo, now: Timestamp) -> bool:
        if info.host != self._host:
            return info.lease_until > now
        return self._state.consumers[info.id].keeper is not None

    def _claims_of(self, consumer: str) -> int:
        return sum(
            message.owner == consumer and message.state is MessageState.CLAIMED
            for message in self._state.messages.values()
        )
