"""Claiming: look first without the write lock, then take in one transaction.

A claim of an unregistered consumer (it was declared dead) takes nothing: what it took, no reap would
ever find. Messages with a layout that this version does not know stay where they are.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Collection
from typing import Any

from umbel.clock import Timestamp
from umbel.message import LAYOUT
from umbel.transports.base import ClaimBatch
from umbel.transports.sqlite.core import Core
from umbel.transports.sqlite.rows import claims
from umbel.transports.sqlite.statements import CLAIMS, QUEUES

__all__ = ["ClaimsPart"]

_PROMOTED = 1_000
"""Delayed messages made ready by one claim; of a larger burst, those due first come first."""

_WINDOW = 1_000
"""Grouped messages looked at in order before stepping from group to group."""

_FENCE_BITS = 62
"""From the system, not from ``random``: a forked child would draw what its parent draws."""

_PRIORITY = 9
"""The priority's place in a candidate's row."""

_TOUCHES = 4
"""An unused queue's time is prolonged this often in the time after which it expires."""


class ClaimsPart(Core):
    """:meth:`umbel.transports.base.QueueStore.claim`."""

    def claim(self, queue: str, consumer: str, limit: int, *, skip_groups: Collection[str] = ()) -> ClaimBatch:
        """Claim up to ``limit`` due messages, by priority and then in the order of publishing."""
        now = self._clock.now()
        peek = self._db.fetch(CLAIMS.peek, {"name": queue, "layout": LAYOUT})
        if not peek:
            return ClaimBatch(())
        paused, expires, used_at, plain, grouped, next_due = peek[0]
        if expires is not None and now - used_at > expires / _TOUCHES:
            self._touch(queue, now)
        due = next_due is not None and next_due <= now
        if paused or limit < 1 or not (plain or grouped or due):
            return ClaimBatch((), None if paused else next_due)
        return self._claim(queue, consumer, limit, skip_groups, now)

    def _claim(self, queue: str, consumer: str, limit: int, skip_groups: Collection[str], now: Timestamp) -> ClaimBatch:
        fence = secrets.randbits(_FENCE_BITS)
        with self._db.write() as connection:
            found = connection.execute(QUEUES.find_queue, (queue,)).fetchone()
            owner = connection.execute(CLAIMS.consumer, (consumer,)).fetchone()
            if found is None or owner is None or found[1]:
                return ClaimBatch(())
            number, _, ttl = found
            connection.execute(CLAIMS.promote, {"queue": number, "now": now, "limit": max(limit, _PROMOTED)})
            fresh = self._drop_outlived(connection, number, ttl, now)
            rows = _candidates(connection, number, limit, skip_groups, fresh)
            connection.execute(CLAIMS.take, (owner[0], fence, str([row[0] for row in rows])))
            next_due = connection.execute(CLAIMS.next_due, (number,)).fetchone()[0]
        return ClaimBatch(claims(queue, fence, rows), next_due)

    def _touch(self, queue: str, now: Timestamp) -> None:
        with self._db.write() as connection:
            connection.execute(QUEUES.touch_queue, (now, queue))

    def _drop_outlived(self, connection: sqlite3.Connection, queue: int, ttl: float | None, now: Timestamp) -> float:
        """Remove messages at the head that waited for too long; return the oldest moment that counts."""
        if ttl is None:
            return float("-inf")
        fresh = now - ttl
        facts = {"queue": queue, "fresh": fresh, "limit": _WINDOW}
        self._drop_messages(connection, connection.execute(CLAIMS.outlived, facts).fetchall())
        return fresh


def _candidates(
    connection: sqlite3.Connection, queue: int, limit: int, skip_groups: Collection[str], fresh: float
) -> list[tuple[Any, ...]]:
    facts = {
        "queue": queue,
        "layout": LAYOUT,
        "fresh": fresh,
        "limit": limit,
        "window": max(limit, _WINDOW),
        "skip": json.dumps(list(skip_groups)),
    }
    if connection.execute(CLAIMS.has_groups, (queue,)).fetchone() is None:
        return connection.execute(CLAIMS.plain, facts).fetchall()
    rows = connection.execute(CLAIMS.mixed, facts).fetchall()
    if len(rows) == limit or not skip_groups:
        return rows
    # Fewer than wanted: blocked groups may fill the whole window.
    rows = connection.execute(CLAIMS.plain, facts).fetchall() + connection.execute(CLAIMS.by_group, facts).fetchall()
    return sorted(rows, key=lambda row: (-row[_PRIORITY], row[0]))[:limit]
