"""The embedded store: one SQLite file in WAL mode, many processes of one host.

What makes a claim safe: it is a row that names its owner, taken under the write lock; whether the owner
lives is asked of the kernel (``leases.py``). What a power loss can cost is said by ``synchronous``:
with NORMAL the last commits before it, which repeats work that was acked and loses what was
published in that moment; with FULL nothing, for one disk flush per commit. The death of a process
costs nothing at either level.
"""

from __future__ import annotations

from umbel.transports.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
