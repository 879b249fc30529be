"""SQLite's errors in words that name the file and the remedy."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from umbel.errors import (
    StorageCorruptError,
    StorageError,
    StorageFullError,
    StorageLockedError,
    StorageUnwritableError,
)

__all__ = ["is_busy", "is_damaged", "translate"]

_PRIMARY = 0xFF
"""The low byte of an extended result code is the primary one (https://www.sqlite.org/rescode.html)."""

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNWRITABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})


def is_busy(problem: sqlite3.Error) -> bool:
    """Return whether another connection holds the lock, so that trying again can help."""
    return _code(problem) in _BUSY


def is_damaged(problem: sqlite3.Error) -> bool:
    """Return whether the connection should not be used again."""
    return _code(problem) in _CORRUPT | {sqlite3.SQLITE_IOERR}


def translate(problem: sqlite3.Error, path: Path, *, busy_timeout: float) -> StorageError:
    """Return the storage error that says which file, what happened, and what to do."""
    code, cause = _code(problem), str(problem)
    if code in _BUSY:
        message = f"database {path}: another process held the write lock for more than {busy_timeout:g} s"
        return StorageLockedError(message, file=str(path), cause=cause)
    if code == sqlite3.SQLITE_FULL:
        return StorageFullError(f"database {path}: no room to store more", file=str(path), cause=cause)
    if code in _CORRUPT:
        what = "is not a SQLite database" if code == sqlite3.SQLITE_NOTADB else "is damaged"
        return StorageCorruptError(f"database {path} {what}: {cause}", file=str(path), cause=cause)
    if code in _UNWRITABLE:
        return _unwritable(path, cause)
    hint = "the file's disk or the schema is at fault; nothing of this call was stored"
    return StorageError(f"database {path}: {cause}", hint=hint, file=str(path), cause=cause)


def _unwritable(path: Path, cause: str) -> StorageError:
    folder = path.absolute().parent
    facts = {"file": str(path), "cause": cause}
    if not folder.exists():
        message = f"database {path}: its folder {folder} does not exist"
        return StorageUnwritableError(message, hint=f"create it: mkdir -p {folder}", **facts)
    if not folder.is_dir():
        message = f"database {path}: {folder} is a file, expected a folder"
        return StorageUnwritableError(message, hint="name a file inside a folder in the URL", **facts)
    if path.is_dir():
        message = f"database {path}: is a folder, expected a file"
        return StorageUnwritableError(message, hint=f"name a file inside it, such as {path}/umbel.db", **facts)
    message = f"database {path}: cannot be opened for writing: {cause}"
    return StorageUnwritableError(message, **facts)


def _code(problem: sqlite3.Error) -> int:
    return (getattr(problem, "sqlite_errorcode", None) or 0) & _PRIMARY
