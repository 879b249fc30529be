"""Numbered ``.sql`` files, applied once each, in order, however many processes start at once.

A newer schema than the code knows is accepted: migrations only ever add, so that a worker of the
previous version runs on the new schema.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files

__all__ = ["migrate"]

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_versions (
    component TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL, applied_at REAL NOT NULL,
    PRIMARY KEY (component, version)
) WITHOUT ROWID
"""
_KNOWN = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_versions'"
_CURRENT = "SELECT coalesce(max(version), 0) FROM schema_versions WHERE component = ?"
_RECORD = "INSERT INTO schema_versions VALUES (?, ?, ?, (julianday('now') - 2440587.5) * 86400.0)"


def migrate(connection: sqlite3.Connection, component: str, package: str) -> int:
    """Bring a component's tables up to date; return its schema version.

    ``package`` holds the files ``0001_name.sql``, ``0002_name.sql``… Each is one transaction, and a
    process that comes second finds the work done.
    """
    steps = _steps(package)
    newest = steps[-1][0]
    version = _version(connection, component)
    for number, name, script in steps:
        if number > version:
            _apply(connection, component, (number, name, script))
    return max(version, newest)


def _steps(package: str) -> list[tuple[int, str, str]]:
    found = sorted((item for item in files(package).iterdir() if item.name.endswith(".sql")), key=lambda i: i.name)
    return [(int(item.name[:4]), item.name, item.read_text(encoding="utf-8")) for item in found]


def _version(connection: sqlite3.Connection, component: str) -> int:
    if connection.execute(_KNOWN).fetchone() is None:
        return 0
    return int(connection.execute(_CURRENT, (component,)).fetchone()[0])


def _apply(connection: sqlite3.Connection, component: str, step: tuple[int, str, str]) -> None:
    number, name, script = step
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_LEDGER)
        if number > _version(connection, component):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(_RECORD, (component, number, name))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    # sqlite3's executescript commits first, which would let two processes migrate at once.
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
