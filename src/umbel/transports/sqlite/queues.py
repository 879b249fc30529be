"""Queues: create, publish, count, purge, delete."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from umbel.clock import Timestamp
from umbel.message import Envelope
from umbel.transports.base import QueueOptions
from umbel.transports.sqlite.core import Core
from umbel.transports.sqlite.rows import message_rows
from umbel.transports.sqlite.statements import QUEUES

__all__ = ["QueuesPart"]

_CHUNK = 5_000
"""Messages removed in one transaction, so that a purge of a million lets others write in between."""


class QueuesPart(Core):
    """The queues' half of :class:`umbel.transports.base.QueueStore`."""

    def create(self, queue: str, options: QueueOptions | None = None) -> None:
        """Create the queue, or change the options that are given."""
        wanted = options or QueueOptions()
        now = self._clock.now()
        with self._db.write() as connection:
            self._queue_id(connection, queue, now)
            connection.execute(QUEUES.touch_queue, (now, queue))
            connection.execute(
                QUEUES.set_options,
                {
                    "name": queue,
                    "expires": wanted.expires,
                    "message_ttl": wanted.message_ttl,
                    "owner": wanted.owner,
                },
            )

    def delete(self, queue: str) -> int:
        """Delete the queue with its bindings and messages; return how many waited."""
        waiting = self.purge(queue)
        with self._db.write() as connection:
            return waiting + self._drop_queue(connection, queue)

    def publish(self, queue: str, envelopes: Sequence[Envelope]) -> Sequence[bool]:
        """Store all of them, in order; False marks a repeat."""
        if not envelopes:
            return []
        now = self._clock.now()
        with self._db.write() as connection:
            number = self._queue_id(connection, queue, now)
            stored = [item.dedup is None or self._remember(connection, number, item.dedup, now) for item in envelopes]
            fresh = [item for item, new in zip(envelopes, stored, strict=True) if new]
            self._insert(connection, number, fresh, now)
        if fresh:
            self._bell.ring()
        return stored

    def size(self, queue: str) -> int:
        """Return how many messages wait."""
        number = self._known_id(queue)
        return 0 if number is None else int(self._db.fetch(QUEUES.size, {"queue": number})[0][0])

    def purge(self, queue: str) -> int:
        """Remove the waiting messages; return how many."""
        number = self._known_id(queue)
        if number is None:
            return 0
        removed = 0
        while True:
            with self._db.write() as connection:
                rows = connection.execute(QUEUES.waiting_ids, {"queue": number, "limit": _CHUNK}).fetchall()
                removed += self._drop_messages(connection, rows)
            if len(rows) < _CHUNK:
                return removed

    def _insert(
        self, connection: sqlite3.Connection, queue: int, envelopes: Sequence[Envelope], now: Timestamp
    ) -> None:
        first = connection.execute(QUEUES.last_id).fetchone()[0] + 1
        rows = [message_rows(queue, number, item, now) for number, item in enumerate(envelopes, first)]
        connection.executemany(QUEUES.add_message, [narrow for narrow, _ in rows])
        connection.executemany(QUEUES.add_envelope, [wide for _, wide in rows])

    def _remember(self, connection: sqlite3.Connection, queue: int, key: str, now: Timestamp) -> bool:
        facts: dict[str, Any] = {"queue": queue, "key": key, "until": now + self._dedup_window, "now": now}
        return connection.execute(QUEUES.remember, facts).rowcount == 1

    def _drop_queue(self, connection: sqlite3.Connection, queue: str) -> int:
        """Remove a queue and all that is left in it; return how many waited, parked ones included."""
        connection.execute(QUEUES.drop_bindings, (queue,))
        found = connection.execute(QUEUES.find_queue, (queue,)).fetchone()
        if found is None:
            return 0
        number = found[0]
        rows = connection.execute(QUEUES.waiting_ids, {"queue": number, "limit": -1}).fetchall()
        parked = connection.execute(QUEUES.count_parked, (number,)).fetchone()[0]
        waiting = self._drop_messages(connection, rows) + int(parked)
        self._drop_messages(connection, connection.execute(QUEUES.held_ids, {"queue": number}).fetchall())
        connection.execute(QUEUES.drop_dedup, (number,))
        connection.execute(QUEUES.drop_queue, (number,))
        return waiting
