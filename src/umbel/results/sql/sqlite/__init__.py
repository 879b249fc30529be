"""Results in a SQLite file: the dialect, and nothing of Celery.

The file may be the broker's own: the tables have names and migrations of their own.
"""

from __future__ import annotations

from umbel.results.sql.sqlite.chords import SqliteChords
from umbel.results.sql.sqlite.locks import ChordLocks
from umbel.results.sql.sqlite.store import SqliteResults, open_database

__all__ = ["ChordLocks", "SqliteChords", "SqliteResults", "open_database"]
