"""Running a worker: the supervisor with everything that it does besides."""

from __future__ import annotations

from umbel.maintenance import duties
from umbel.worker import Supervisor, WorkerOptions

__all__ = ["run_worker"]


def run_worker(app: str, options: WorkerOptions) -> int:
    """Run a worker of this application (``module:attribute``) until it is told to stop.

    Returns the exit code: 0 after a clean drain, 1 when no shard could start.

    Raises:
        ConfigurationError: the application could not be loaded, or a setting is wrong.
        StorageError: the broker could not be opened.
    """
    return Supervisor(app, options, zygote_module="umbel.control.zygote", duties=duties).run()
