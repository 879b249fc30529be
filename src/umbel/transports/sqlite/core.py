"""What the store's parts share: the database, the clock, the leases, the bell, and few small steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from umbel.clock import Clock, SystemClock, Timestamp
from umbel.database import Database, migrate
from umbel.database.forks import renew_in_children
from umbel.transports.sqlite.bell import Bell
from umbel.transports.sqlite.hosts import host_identity
from umbel.transports.sqlite.leases import LeaseFile
from umbel.transports.sqlite.statements import QUEUES

__all__ = ["Core"]


class Core:
    """One process's access to one store file. The contracts are mixed in; see ``store.py``."""

    def __init__(self, path: Path, *, clock: Clock | None = None, options: Mapping[str, Any] | None = None) -> None:
        given = dict(options or {})
        self._clock: Clock = clock or SystemClock()
        self._db = Database(
            path,
            busy_timeout=given.get("busy_timeout", 10.0),
            synchronous=given.get("synchronous", "NORMAL"),
            prepare=_prepare,
        )
        self._dedup_window = float(given.get("dedup_window", 3_600.0))
        self._host = str(given.get("host") or host_identity())
        self._bell = Bell(Path(f"{self._db.path}-wake"))
        self._registered: dict[str, int] = {}
        self._leases = LeaseFile.at(Path(f"{self._db.path}-leases"))
        renew_in_children(self)

    def after_fork_in_child(self) -> None:
        """Hold no consumers: those that were registered here are the parent's."""
        self._registered = {}

    @property
    def path(self) -> Path:
        """The database file."""
        return self._db.path

    def _queue_id(self, connection: sqlite3.Connection, queue: str, now: Timestamp) -> int:
        """Return the queue's number, creating the queue when it is missing."""
        found = connection.execute(QUEUES.find_queue, (queue,)).fetchone()
        if found is None:
            connection.execute(QUEUES.add_queue, (queue, now))
            found = connection.execute(QUEUES.find_queue, (queue,)).fetchone()
        return int(found[0])

    def _known_id(self, queue: str) -> int | None:
        found = self._db.fetch(QUEUES.find_queue, (queue,))
        return int(found[0][0]) if found else None

    def _drop_messages(self, connection: sqlite3.Connection, rows: Iterable[tuple[Any, ...]]) -> int:
        numbers = list(rows)
        connection.executemany(QUEUES.drop_message, numbers)
        connection.executemany(QUEUES.drop_envelope, numbers)
        return len(numbers)


def _prepare(connection: sqlite3.Connection) -> None:
    migrate(connection, "transports", "umbel.transports.sqlite.migrations")
