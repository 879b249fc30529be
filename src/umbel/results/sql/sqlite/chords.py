"""Chords in SQLite: the announcement, the set of parts, and counters that change only with the set."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from umbel.database import Database, Queries
from umbel.results.records import ChordMember, ChordPart, ChordProgress, ChordState

__all__ = ["SqliteChords", "delete_expired_chords"]

_SQL = Queries("umbel.results.sql.sqlite.statements", "chords")
_LAST = 2**62
"""The position of a part that has none."""


class SqliteChords:
    """Keeps :class:`~umbel.results.records.ChordStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, group_id: str, structure: str | bytes | None, expires_at: float | None, *, afresh: bool) -> None:
        """Announce a chord; ``afresh`` forgets an earlier run under the same id."""
        with self._database.write() as connection:
            if afresh:
                _delete(connection, group_id)
            connection.execute(_SQL.open, (group_id, structure, expires_at))

    def resize(self, group_id: str, size: int, expires_at: float | None) -> None:
        """Set how many parts the header has."""
        with self._database.write() as connection:
            connection.execute(_SQL.resize, (group_id, size, expires_at))

    def extend(self, group_id: str, task_ids: Sequence[str], expires_at: float | None) -> None:
        """Add parts to the chord while it runs; adding one again changes nothing."""
        with self._database.write() as connection:
            added = sum(connection.execute(_SQL.add_extra, (group_id, task_id)).rowcount for task_id in task_ids)
            if added:
                connection.execute(_SQL.count_extra, (group_id, added, expires_at))

    def add(self, connection: sqlite3.Connection, part: ChordPart) -> bool:
        """Add a part inside a transaction; return whether its chord now calls for action."""
        group_id = part.group_id
        if _state(connection, group_id) is ChordState.DONE:
            return False
        position = _LAST if part.position is None else part.position
        member = (group_id, part.task_id, position)
        if connection.execute(_SQL.add_member, (*member, part.status, part.result)).rowcount:
            connection.execute(_SQL.advance, (group_id, 1, int(part.failed), part.expires_at))
        elif not part.failed and connection.execute(_SQL.redeem_member, (part.status, part.result, *member)).rowcount:
            connection.execute(_SQL.advance, (group_id, 0, -1, part.expires_at))
        progress = _progress(connection.execute(_SQL.progress, (group_id,)).fetchone())
        return progress is not None and progress.calls_for_action

    def progress(self, group_id: str) -> ChordProgress | None:
        """Return how far the chord is, or None when it is unknown."""
        found = self._database.fetch(_SQL.progress, (group_id,))
        return _progress(found[0]) if found else None

    def members(self, group_id: str) -> Sequence[ChordMember]:
        """Return the parts that have returned, by position."""
        return [ChordMember(*row) for row in self._database.fetch(_SQL.members, (group_id,))]

    def structure(self, group_id: str) -> str | bytes | None:
        """Return the structure that was announced."""
        found = self._database.fetch(_SQL.structure, (group_id,))
        return found[0][0] if found else None

    def settle(self, group_id: str, state: ChordState, expires_at: float | None) -> None:
        """Record that the body was failed or published; once it is DONE the parts are deleted."""
        with self._database.write() as connection:
            connection.execute(_SQL.settle, (state, expires_at, group_id))
            if state is ChordState.DONE:
                _delete_parts(connection, group_id)


def delete_expired_chords(connection: sqlite3.Connection, now: float, limit: int) -> int:
    """Delete up to ``limit`` expired chords with their parts, inside a transaction; return how many."""
    expired = connection.execute(_SQL.expired, (now, limit)).fetchall()
    for (group_id,) in expired:
        _delete(connection, group_id)
    return len(expired)


def _delete(connection: sqlite3.Connection, group_id: str) -> None:
    connection.execute(_SQL.delete_chord, (group_id,))
    _delete_parts(connection, group_id)


def _delete_parts(connection: sqlite3.Connection, group_id: str) -> None:
    connection.execute(_SQL.delete_members, (group_id,))
    connection.execute(_SQL.delete_extras, (group_id,))


def _state(connection: sqlite3.Connection, group_id: str) -> ChordState | None:
    found = connection.execute(_SQL.state, (group_id,)).fetchone()
    return ChordState(found[0]) if found else None


def _progress(row: tuple[int | None, int, int, int, str] | None) -> ChordProgress | None:
    if row is None:
        return None
    size, extra, returned, failed, state = row
    return ChordProgress(size, extra, returned, failed, ChordState(state))
