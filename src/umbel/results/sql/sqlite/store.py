"""Results and saved groups in SQLite.

Expired rows are deleted a few at a time by the writes themselves, so that a file under load stops growing
without any task or daemon that cleans it: each write may delete twice as many rows as it stores.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from umbel.clock import Clock, SystemClock
from umbel.database import Database, Queries, migrate
from umbel.results.records import ChordPart, ResultRow
from umbel.results.sql.sqlite.chords import SqliteChords, delete_expired_chords

__all__ = ["SqliteResults", "open_database"]

_PACKAGE = "umbel.results.sql.sqlite"
_SQL = Queries(f"{_PACKAGE}.statements", "results")

_PRUNE_AT_LEAST = 100
"""Rows; what a write of a single result may delete."""
_PRUNE_PAUSE = 1.0
"""Seconds until the next look, once nothing more was found to delete."""


def open_database(path: Path, *, busy_timeout: float = 10.0, synchronous: str = "NORMAL") -> Database:
    """Return the file with the tables of results in it; nothing is opened before the first use."""
    prepare = partial(migrate, component="results", package=f"{_PACKAGE}.migrations")
    return Database(path, busy_timeout=busy_timeout, synchronous=synchronous, prepare=prepare)


class SqliteResults:
    """Keeps :class:`~umbel.results.records.ResultStore`."""

    def __init__(self, database: Database, chords: SqliteChords, *, clock: Clock | None = None) -> None:
        self._database = database
        self._chords = chords
        self._clock = clock or SystemClock()
        self._next_prune = 0.0

    def write(self, rows: Sequence[ResultRow], parts: Sequence[ChordPart] = ()) -> Sequence[ChordPart]:
        """Store results and chord parts in one transaction; return the parts whose chord calls for action."""
        with self._database.write() as connection:
            if rows:
                connection.executemany(_SQL.store, rows)
            ready = [part for part in parts if self._chords.add(connection, part)]
            self._prune_now_and_then(connection, len(rows))
        return ready

    def read(self, task_ids: Collection[str]) -> Mapping[str, ResultRow]:
        """Return those of the results that exist, in one query."""
        now = self._clock.now()
        if len(task_ids) == 1:
            found = self._database.fetch(_SQL.read_one, (*task_ids, now))
        else:
            found = self._database.fetch(_SQL.read_many, (json.dumps(list(task_ids)), now))
        return {row[0]: ResultRow._make(row) for row in found}

    def forget(self, task_id: str) -> None:
        """Delete a result."""
        with self._database.write() as connection:
            connection.execute(_SQL.forget, (task_id,))

    def save_group(self, group_id: str, content: str | bytes, expires_at: float | None) -> None:
        """Store a group's structure, replacing what is there."""
        with self._database.write() as connection:
            connection.execute(_SQL.save_group, (group_id, content, expires_at))

    def load_group(self, group_id: str) -> str | bytes | None:
        """Return a group's structure."""
        found = self._database.fetch(_SQL.load_group, (group_id, self._clock.now()))
        return found[0][0] if found else None

    def delete_group(self, group_id: str) -> None:
        """Delete a group's structure; its results stay."""
        with self._database.write() as connection:
            connection.execute(_SQL.delete_group, (group_id,))

    def prune(self, limit: int) -> int:
        """Delete up to ``limit`` expired results, groups and chords each; return how many in all."""
        with self._database.write() as connection:
            return self._prune(connection, limit)

    def _prune_now_and_then(self, connection: sqlite3.Connection, written: int) -> None:
        now = self._clock.now()
        if now < self._next_prune:
            return
        limit = max(_PRUNE_AT_LEAST, 2 * written)
        if self._prune(connection, limit) < limit:
            self._next_prune = now + _PRUNE_PAUSE

    def _prune(self, connection: sqlite3.Connection, limit: int) -> int:
        now = self._clock.now()
        results = connection.execute(_SQL.prune_results, (now, limit)).rowcount
        groups = connection.execute(_SQL.prune_groups, (now, limit)).rowcount
        return results + groups + delete_expired_chords(connection, now, limit)
