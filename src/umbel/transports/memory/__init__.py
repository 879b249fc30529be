"""The store for tests and for one process: the same contracts, nothing on disk.

A store of one name is shared by all who open it in this process, and lives as long as the process.
A forked child gets a copy that goes its own way.
"""

from __future__ import annotations

from umbel.transports.memory.store import MemoryStore

__all__ = ["MemoryStore"]
