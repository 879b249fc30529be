"""SQL databases: connections that survive forks, errors in words, migrations.

One :class:`Database` is one SQLite file as this process sees it. Whoever keeps tables in it (queues,
results, later the history) brings its own migrations under its own component name, so that all of
them can share one file.
"""

from __future__ import annotations

from umbel.database.migrations import migrate
from umbel.database.queries import Queries
from umbel.database.sqlite import Database
from umbel.database.urls import sqlite_path

__all__ = ["Database", "Queries", "migrate", "sqlite_path"]
