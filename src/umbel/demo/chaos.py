"""Kills a shard in the middle of its work, and knows what it was doing.

The shard is frozen first (SIGSTOP), so that what its run table and the store say about it is still
true when SIGKILL follows. No handler runs, nothing is flushed: it is what the out-of-memory killer does.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from umbel.transports.base import ConsumerInfo, Store
from umbel.transports.runtable import RunTable

__all__ = ["Kill", "kill_busy_shard"]

_FREEZE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Kill:
    """What died: the shard's name and pid, when (epoch seconds), the ids of the tasks whose messages it
    held, and of those whose bodies ran.
    """

    shard: str
    pid: int
    at: float
    held: tuple[str, ...]
    running: tuple[str, ...]


def kill_busy_shard(store: Store, *, spare: int) -> Kill | None:
    """Kill one consumer of this store while a body runs in it; None when nobody is busy at the moment.

    ``spare`` is the pid of the supervisor, which is never meant.
    """
    for info in store.consumers():
        if info.pid not in {spare, os.getpid()}:
            kill = _kill_if_busy(store, info)
            if kill is not None:
                return kill
    return None


def _kill_if_busy(store: Store, info: ConsumerInfo) -> Kill | None:
    try:
        os.kill(info.pid, signal.SIGSTOP)
    except ProcessLookupError:
        return None
    if not _frozen(info.pid):
        os.kill(info.pid, signal.SIGCONT)
        return None
    running = _running(info)
    if not running:
        os.kill(info.pid, signal.SIGCONT)
        return None
    held = tuple(found.envelope.task_id for found in store.held(info.id))
    os.kill(info.pid, signal.SIGKILL)
    return Kill(shard=info.name, pid=info.pid, at=time.time(), held=held, running=running)


def _frozen(pid: int) -> bool:
    """Wait until the kernel has stopped every thread of the process."""
    deadline = time.monotonic() + _FREEZE_SECONDS
    while time.monotonic() < deadline:
        if _state(pid) == "T":
            return True
        os.sched_yield()
    return False


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _running(info: ConsumerInfo) -> tuple[str, ...]:
    table = RunTable.open(Path(info.run_table)) if info.run_table else None
    if table is None or table.consumer != info.id:
        return ()
    try:
        return tuple(run.task_id for run in table.running())
    finally:
        table.close()
