"""One SQLite file, as one process uses it: one connection, behind one lock, closed before every fork.

Why closed before a fork: SQLite keeps its file locks in process-wide lists, and POSIX locks are not
inherited. A child that merely opens a new connection finds the parent's locks in those lists, takes
none of its own, and another process may then delete the write-ahead log under it: commits are lost.
A fork out of the middle of a transaction cannot close; the child then abandons the connection.

Never open the file itself with ``open()`` in a process that has a connection: closing any descriptor
of a file drops all of the process's POSIX locks on it.

Why the write lock is waited for here and not in SQLite: its busy handler sleeps up to 100 ms a step.
With four processes that claim and settle without a pause, short sleeps of our own keep the
throughput while the longest call falls from 657 ms to 104 ms (two cores; 31 000 against 26 000 a second).
A lock file beside the database did no better, and nobody could wait for it with a time-out.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from umbel.database.forks import renew_in_children
from umbel.database.translation import is_busy, is_damaged, translate
from umbel.errors import ConfigurationError, StorageError, UnsupportedError

__all__ = ["Database"]

T = TypeVar("T")

_OLDEST = (3, 35, 0)
"""The first SQLite with RETURNING."""

_LEVELS = ("OFF", "NORMAL", "FULL", "EXTRA")
_CHECKPOINT_PAGES = 4_000
_CACHE_KIB = 16_000
_SNAPSHOT = "BEGIN"
_FIRST_WAIT, _LONGEST_WAIT = 0.0002, 0.002
"""Seconds between tries for the write lock."""


class Database:
    """A SQLite file in WAL mode. Opening is lazy; closing twice is harmless; use after closing reopens.

    ``busy_timeout`` is in seconds. ``synchronous`` is OFF, NORMAL, FULL or EXTRA: with NORMAL a power
    loss can undo the last commits (a crash of a process cannot), with FULL it cannot. ``prepare``
    is called with each new connection, for migrations. Failures raise
    :class:`~umbel.errors.StorageError`, and every method is thread-safe.

    >>> database = Database(Path("umbel.db"))  # doctest: +SKIP
    >>> with database.write() as connection:  # doctest: +SKIP
    ...     connection.execute("INSERT INTO results VALUES (?, ?)", ("7f3c", b"42"))
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout: float = 10.0,
        synchronous: str = "NORMAL",
        prepare: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        _require_version()
        self.path = path.absolute()
        self.busy_timeout = float(busy_timeout)
        self.synchronous = _validated(synchronous)
        self._prepare = prepare
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        _databases.add(self)
        renew_in_children(self)

    def write(self) -> AbstractContextManager[sqlite3.Connection]:
        """Return a context manager: one write transaction, committed at the end, undone by an exception.

        It yields the connection. Do not nest it.
        """
        return self._transaction("BEGIN IMMEDIATE")

    def read(self) -> AbstractContextManager[sqlite3.Connection]:
        """Return a context manager that yields the connection on one consistent snapshot."""
        return self._transaction(_SNAPSHOT)

    def fetch(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Return all rows of one reading statement."""
        with self._lock:
            try:
                connection = self._connected()
                return self._patiently(lambda: connection.execute(statement, parameters).fetchall())
            except sqlite3.Error as problem:
                raise self._failure(problem) from problem

    def close(self) -> None:
        """Close this process's connection."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=self.busy_timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            _configure(connection, self.synchronous)
            if self._prepare is not None:
                self._prepare(connection)
            connection.execute("PRAGMA busy_timeout = 0")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _transaction(self, statement: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._begin(statement)
            try:
                yield connection
                connection.execute("COMMIT")
            except sqlite3.Error as problem:
                raise self._failure(problem) from problem
            except BaseException:
                if connection.in_transaction:
                    connection.rollback()
                raise

    def _begin(self, statement: str) -> sqlite3.Connection:
        try:
            connection = self._connected()
            self._patiently(lambda: connection.execute(statement))
            if statement == _SNAPSHOT:
                # A deferred BEGIN takes its snapshot at the first read, which is where it may have to wait.
                self._patiently(lambda: connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall())
        except sqlite3.Error as problem:
            raise self._failure(problem) from problem
        return connection

    def _patiently(self, action: Callable[[], T]) -> T:
        deadline, wait = 0.0, _FIRST_WAIT
        while True:
            try:
                return action()
            except sqlite3.OperationalError as problem:
                deadline = deadline or monotonic() + self.busy_timeout
                if not is_busy(problem) or monotonic() >= deadline:
                    raise
            sleep(wait)
            wait = min(wait * 1.5, _LONGEST_WAIT)

    def _failure(self, problem: sqlite3.Error) -> StorageError:
        """Leave no transaction open, no damaged connection behind, and return the error in words."""
        connection = self._connection
        if connection is not None and is_damaged(problem):
            self.close()
        elif connection is not None and connection.in_transaction:
            connection.rollback()
        return translate(problem, self.path, busy_timeout=self.busy_timeout)

    def before_fork(self) -> bool:
        """Wait for the transactions of other threads, close, and keep the lock; False when they last too long."""
        if not self._lock.acquire(timeout=self.busy_timeout):
            return False
        connection = self._connection
        if connection is not None and not connection.in_transaction:
            self.close()
        return True

    def after_fork_in_parent(self) -> None:
        """Let others go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Give the child its own lock, and forget a connection that could not be closed before the fork."""
        self._lock = threading.RLock()
        if self._connection is not None:
            # Closing it here would release or write what belongs to the parent.
            _abandoned.append(self._connection)
            self._connection = None


def _require_version() -> None:
    if sqlite3.sqlite_version_info < _OLDEST:
        message = f"SQLite must be 3.35.0 or newer, found: {sqlite3.sqlite_version}"
        raise UnsupportedError(message, hint="use a Python that is linked with a newer SQLite")


def _validated(synchronous: str) -> str:
    level = str(synchronous).upper()
    if level not in _LEVELS:
        message = f"synchronous must be one of {', '.join(_LEVELS)}, got: {synchronous!r}"
        raise ConfigurationError(message, synchronous=synchronous)
    return level


def _configure(connection: sqlite3.Connection, synchronous: str) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        message = f"the file system gives SQLite no write-ahead log; the journal mode is {mode!r}, expected 'wal'"
        raise sqlite3.OperationalError(message)
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    # Debian builds SQLite with it on: every freed page is zeroed and written. SQLite's own default is off.
    connection.execute("PRAGMA secure_delete = OFF")


_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_abandoned: list[sqlite3.Connection] = []
_held: list[Database] = []


def _before_fork() -> None:
    _held[:] = [database for database in list(_databases) if database.before_fork()]


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().after_fork_in_parent()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_held.clear)
