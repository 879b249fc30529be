"""The result backend over a SQL database: ``result_backend = "sqlite:///umbel.db"``."""

from __future__ import annotations

from umbel.results.sql.backend import SqlBackend

__all__ = ["SqlBackend"]
