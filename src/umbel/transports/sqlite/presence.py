"""Who is alive: kernel locks for this host's consumers, leases for all others."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from umbel.clock import Timestamp
from umbel.transports.base import ConsumerInfo
from umbel.transports.sqlite.hosts import process_start
from umbel.transports.sqlite.reaping import ReapingPart
from umbel.transports.sqlite.statements import PRESENCE

__all__ = ["PresencePart"]


class PresencePart(ReapingPart):
    """:class:`umbel.transports.base.Presence`."""

    def register(self, name: str, *, lease: float, run_table: str | None = None) -> str:
        """Make this process a consumer and return its id: host, pid, process start, lock offset."""
        offset = self._leases.take()
        consumer = f"{self._host[:40]}-{os.getpid()}-{process_start()}-{offset:x}"
        now = self._clock.now()
        row = (consumer, name, self._host, os.getpid(), now, now + lease, run_table)
        try:
            with self._db.write() as connection:
                connection.execute(PRESENCE.register, row)
        except BaseException:
            self._leases.drop(offset)
            raise
        self._registered[consumer] = offset
        return consumer

    def renew(self, consumers: Sequence[str], *, lease: float) -> Collection[str]:
        """Prolong leases; return the ids that are unknown."""
        until = self._clock.now() + lease
        with self._db.write() as connection:
            return [name for name in consumers if connection.execute(PRESENCE.renew, (until, name)).rowcount == 0]

    def retire(self, consumer: str) -> None:
        """Unregister; claims that it still holds are released without blame."""
        self.reap(consumer, started=())
        self._unlock(consumer)

    def consumers(self) -> Sequence[ConsumerInfo]:
        """Return all registered consumers."""
        return [
            ConsumerInfo(name, node, host, pid, Timestamp(started), Timestamp(until), run_table, claims)
            for name, node, host, pid, started, until, run_table, claims in self._db.fetch(PRESENCE.consumers)
        ]

    def dead(self) -> Sequence[ConsumerInfo]:
        """Return the consumers whose process is gone, or whose lease has run out on another host."""
        now = self._clock.now()
        return [info for info in self.consumers() if not self._is_alive(info, now)]

    def _is_alive(self, info: ConsumerInfo, now: Timestamp) -> bool:
        if info.host != self._host:
            return info.lease_until > now
        return self._leases.is_held(int(info.id.rpartition("-")[2], 16))

    def _unlock(self, consumer: str) -> None:
        offset = self._registered.pop(consumer, None)
        if offset is not None:
            self._leases.drop(offset)
