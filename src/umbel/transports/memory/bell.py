"""Waking the waiters of this process: one pipe per waiter."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress

from umbel.database.forks import renew_in_children

__all__ = ["Bell", "PipeWakeup"]

_BUFFER = 65_536


class Bell:
    """Rings every waiter of one store."""

    def __init__(self) -> None:
        self._waiters: weakref.WeakSet[PipeWakeup] = weakref.WeakSet()
        self._lock = threading.Lock()
        renew_in_children(self)

    def waiter(self) -> PipeWakeup:
        """Return a new waiter that every later ring wakes."""
        waiter = PipeWakeup()
        with self._lock:
            self._waiters.add(waiter)
        return waiter

    def ring(self) -> None:
        """Wake all waiters."""
        with self._lock:
            waiters = list(self._waiters)
        for waiter in waiters:
            waiter.wake()

    def after_fork_in_child(self) -> None:
        """Forget the parent's waiters; ringing them would wake the parent."""
        self._lock = threading.Lock()
        self._waiters = weakref.WeakSet()


class PipeWakeup:
    """A waiter; see :class:`umbel.transports.base.Wakeup`."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._lock = threading.Lock()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        # One that is dropped without being closed must not leak its descriptors.
        self._finalizer = weakref.finalize(self, _close, self._reader, self._writer)

    def fileno(self) -> int:
        """Return the descriptor; -1 after closing."""
        return self._reader if self._finalizer.alive else -1

    def wake(self) -> None:
        """Make it readable; a full pipe is already."""
        with self._lock, suppress(BlockingIOError):
            if self._finalizer.alive:
                os.write(self._writer, b"\0")

    def clear(self) -> None:
        """Read all that was rung so far."""
        with self._lock, suppress(BlockingIOError):
            while self._finalizer.alive and len(os.read(self._reader, _BUFFER)) == _BUFFER:
                pass

    def close(self) -> None:
        """Release the descriptors."""
        with self._lock:
            self._finalizer()


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        with suppress(OSError):
            os.close(descriptor)
