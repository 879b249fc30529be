"""One process at a time completes a chord, by a kernel lock that dies with its process.

The two last parts of a chord may return at once, on two processes. Both would publish the body. Holding a
write transaction meanwhile is impossible, because publishing may write to the same file; a lease in the
table would make the second one wait for a clock after the first has died. So the second waits for a lock
of the kernel on ``<file>-chords``: one byte, at the offset that the chord's id hashes to. The lock belongs
to the open file description, so closing another one releases nothing.

Inside a process an ordinary lock comes first. It is one that gevent knows: a greenlet that waited in the
kernel would never let the holder go on.

Where the kernel has no such locks (outside Linux), no process waits for another: both publish the same
message under the same identity, and the broker drops the second.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from weakref import WeakValueDictionary

__all__ = ["ChordLocks"]

_SET_AND_WAIT: int | None = getattr(fcntl, "F_OFD_SETLKW", None)
_MODE = 0o666
_held: set[int] = set()
_gates: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
_gates_lock = threading.Lock()


class ChordLocks:
    """Locks by name beside a database file. Two names hash to one lock once in 2^62."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-chords")

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Wait until nobody holds the lock of this name, and hold it. Not reentrant."""
        with _gate(f"{self._path}:{name}"), self._kernel_lock(name):
            yield

    @contextmanager
    def _kernel_lock(self, name: str) -> Iterator[None]:
        if _SET_AND_WAIT is None:
            yield
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        _held.add(descriptor)
        try:
            fcntl.fcntl(descriptor, _SET_AND_WAIT, _exclusive(_offset(name)))
            yield
        finally:
            _held.discard(descriptor)
            os.close(descriptor)


def _gate(name: str) -> threading.Lock:
    with _gates_lock:
        gate = _gates.get(name)
        if gate is None:
            gate = _gates[name] = threading.Lock()
        return gate


def _offset(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") >> 2


def _exclusive(offset: int) -> bytes:
    # struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid (0, as these locks demand).
    return struct.pack("@hhqqq", fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0)


def _release_in_child() -> None:
    global _gates_lock  # noqa: PLW0603 - a thread of the parent may hold it
    _gates_lock = threading.Lock()
    _gates.clear()
    # A child inherits the open file descriptions: kept open, they would outlive the parent's locks.
    for descriptor in tuple(_held):
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_release_in_child)
