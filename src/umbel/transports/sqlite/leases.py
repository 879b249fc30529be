"""Kernel locks that die with their process: how a host knows at once that a consumer is gone.

Each consumer holds a POSIX record lock on one byte of ``<database>-leases``; the byte's offset is 60
random bits, part of the consumer's id. The kernel drops the lock when the process ends, however it
ends, and a forked child does not inherit it. Three traps rule this module:

- Closing *any* descriptor of the file drops *all* of the process's locks on it. So a process has one
  descriptor per file, and closes it only when it holds nothing.
- A process's own locks do not conflict with its own questions. So what it holds is also kept in a set.
- The kernel is asked with F_GETLK, which takes nothing: two askers never mistake each other for alive.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import sys
import threading
from pathlib import Path

from umbel.database.forks import renew_in_children
from umbel.errors import StorageError, StorageUnwritableError

__all__ = ["LeaseFile"]

_OFFSET_BITS = 60
_FLOCK = "qqihh" if sys.platform == "darwin" else "hhqqi4x"
"""``struct flock``: Linux has type, whence, start, length, pid; Darwin start, length, pid, type, whence."""


class LeaseFile:
    """The lease file of one store; one object per file and process, got with :meth:`at`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._held: set[int] = set()
        self._lock = threading.RLock()
        renew_in_children(self)

    @classmethod
    def at(cls, path: Path) -> LeaseFile:
        """Return this process's object for the file."""
        name = Path(os.path.realpath(path))
        # One step of the interpreter: no lock that a fork could leave taken.
        return _files.setdefault(name, cls(name))

    def take(self) -> int:
        """Lock a byte that nobody else can have, and return its offset."""
        with self._lock:
            offset = secrets.randbits(_OFFSET_BITS)
            try:
                fcntl.lockf(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
            except OSError as problem:
                raise self._failure(problem) from problem
            self._held.add(offset)
            return offset

    def drop(self, offset: int) -> None:
        """Unlock the byte; dropping twice is harmless."""
        with self._lock:
            if offset not in self._held or self._descriptor is None:
                return
            self._held.discard(offset)
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, offset)
            if not self._held:
                os.close(self._descriptor)
                self._descriptor = None

    def is_held(self, offset: int) -> bool:
        """Return whether a living process, this one included, holds the byte."""
        with self._lock:
            if offset in self._held:
                return True
            kept = self._descriptor is not None
            descriptor = self._opened()
            try:
                answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, _question(offset))
            except OSError as problem:
                raise self._failure(problem) from problem
            finally:
                if not kept:
                    os.close(descriptor)
                    self._descriptor = None
            return _lock_type(answer) != fcntl.F_UNLCK

    def after_fork_in_child(self) -> None:
        """Hold nothing: the locks are the parent's. The descriptor is as good as a new one."""
        self._lock = threading.RLock()
        self._held.clear()

    def _opened(self) -> int:
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            except OSError as problem:
                raise self._failure(problem) from problem
        return self._descriptor

    def _failure(self, problem: OSError) -> StorageError:
        message = f"lease file {self.path}: cannot be opened and locked: {problem.strerror}"
        kind = StorageError if isinstance(problem, BlockingIOError) else StorageUnwritableError
        return kind(message, file=str(self.path))


def _question(offset: int) -> bytes:
    if sys.platform == "darwin":
        return struct.pack(_FLOCK, offset, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
    return struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0)


def _lock_type(answer: bytes) -> int:
    fields = struct.unpack(_FLOCK, answer)
    return int(fields[3] if sys.platform == "darwin" else fields[0])


_files: dict[Path, LeaseFile] = {}
