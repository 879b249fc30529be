"""What one `umbel worker` was asked to be; everything that is None comes from the settings."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["WorkerOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """The worker's shape and limits.

    Durations are seconds, sizes bytes. ``processes`` shards of ``threads`` threads each; with one
    thread, bodies run in the shard's main thread, where a soft limit interrupts even a blocking call.
    ``max_tasks_per_shard`` and ``max_memory_per_shard`` replace a shard after so many tasks, or above
    so much resident memory. ``drain_timeout`` bounds how long SIGTERM waits for running tasks;
    ``grace`` how long neighbours of a task that passed its hard limit may go on.
    """

    processes: int | None = None
    threads: int | None = None
    queues: Sequence[str] = ()
    hostname: str | None = None
    loglevel: str | None = None
    max_tasks_per_shard: int | None = None
    max_memory_per_shard: int | None = None
    drain_timeout: float | None = None
    grace: float | None = None
    health_file: str | None = None
    health_port: int | None = None
    state_dir: str | None = None
    config_dir: str | None = None
    color: bool | None = None

    def node(self) -> str:
        """Return the worker's name without the shard's number: ``celery@host`` by default."""
        return (self.hostname or "celery@%h").replace("%h", socket.gethostname())

    def shard_name(self, number: int) -> str:
        """Return the node name of one shard: ``celery-1@host``."""
        name, _, host = self.node().partition("@")
        return f"{name}-{number}@{host or socket.gethostname()}"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-ready."""
        return asdict(self) | {"queues": list(self.queues)}
