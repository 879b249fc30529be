"""Waking the waiters of other processes: one FIFO per waiter in ``<database>-wake/``.

A waiter opens its FIFO for reading *and* writing, so that it never ends, and under a hidden name first:
a FIFO that a ringer can see always has its reader, and one without a reader is a dead process's, which
the ringer removes. Ringing never blocks: a full FIFO is already readable. Ring after the commit,
never before.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path
from time import time_ns

from umbel.database.forks import renew_in_children
from umbel.errors import StorageUnwritableError

__all__ = ["Bell", "FifoWakeup"]

_SETTLED_NS = 50_000_000
"""A folder that changed less than 50 ms ago may change again within the tick of its time stamp."""

_BUFFER = 65_536


class Bell:
    """Rings every waiter of one store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._listed: int | None = None
        self._ends: dict[str, int] = {}
        renew_in_children(self)

    def waiter(self) -> FifoWakeup:
        """Return a new waiter that every later ring wakes."""
        return FifoWakeup(self._folder)

    def ring(self) -> None:
        """Wake all waiters. Nothing is raised: they look for themselves at every poll interval anyway."""
        try:
            changed = os.stat(self._folder).st_mtime_ns  # noqa: PTH116 - each publish pays for it; Path.stat costs double
        except OSError:
            return
        with self._lock:
            if changed != self._listed:
                self._list(changed)
            for name, end in list(self._ends.items()):
                try:
                    os.write(end, b"\0")
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    self._forget(name)
                    self._remove(name)

    def close(self) -> None:
        """Release the descriptors; ringing again opens them anew."""
        with self._lock:
            self._listed = None
            for name in list(self._ends):
                self._forget(name)

    def after_fork_in_child(self) -> None:
        """Open the waiters' ends anew when needed."""
        self._lock = threading.Lock()
        self.close()

    def _list(self, changed: int) -> None:
        with suppress(OSError):
            names = {item.name for item in self._folder.iterdir() if not item.name.startswith(".")}
            for name in set(self._ends) - names:
                self._forget(name)
            for name in names - set(self._ends):
                self._open(name)
            self._listed = changed if time_ns() - changed > _SETTLED_NS else None

    def _open(self, name: str) -> None:
        try:
            self._ends[name] = os.open(self._folder / name, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as problem:
            if problem.errno == errno.ENXIO:
                self._remove(name)

    def _forget(self, name: str) -> None:
        with suppress(OSError):
            os.close(self._ends.pop(name))

    def _remove(self, name: str) -> None:
        with suppress(OSError):
            (self._folder / name).unlink()


class FifoWakeup:
    """A waiter; see :class:`umbel.transports.base.Wakeup`. A forked child has to make its own."""

    def __init__(self, folder: Path) -> None:
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._path = folder / name
        hidden = folder / f".{name}"
        try:
            folder.mkdir(exist_ok=True)
            os.mkfifo(hidden)
            self._descriptor = os.open(hidden, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            hidden.rename(self._path)
        except OSError as problem:
            message = f"wake-up folder {folder}: cannot make a FIFO: {problem.strerror}"
            raise StorageUnwritableError(message, file=str(folder)) from problem
        renew_in_children(self)

    def fileno(self) -> int:
        """Return the descriptor; -1 after closing."""
        return self._descriptor

    def clear(self) -> None:
        """Read all that was rung so far."""
        with suppress(BlockingIOError):
            while self._descriptor >= 0 and len(os.read(self._descriptor, _BUFFER)) == _BUFFER:
                pass

    def close(self) -> None:
        """Remove the FIFO."""
        if self._descriptor >= 0:
            with suppress(OSError):
                self._path.unlink()
            self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """Close the descriptor and leave the FIFO to the parent: while a child had it, it would look alive."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
