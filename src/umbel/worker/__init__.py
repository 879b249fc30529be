"""The worker: a supervisor, its zygote and their shards.

umbel worker ── supervisor          owns no message; watches, limits, recovers, replaces
└── zygote       has loaded the application; forks, opens no connection
├── shard  a Celery worker node: consumer thread, slots, own connection
└── shard
"""

from __future__ import annotations

from umbel.worker.options import WorkerOptions
from umbel.worker.supervisor import Supervisor

__all__ = ["Supervisor", "WorkerOptions"]
