"""Who consumes, whether it is alive, and which task bodies run now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from umbel.clock import Clock, SystemClock, Timestamp, to_datetime
from umbel.transports.base import ConsumerInfo, Store
from umbel.transports.runtable import Running, RunTable

__all__ = ["RunningTask", "Worker", "list_workers"]


@dataclass(frozen=True, slots=True)
class RunningTask:
    """A task whose body runs; ``task`` is None when its message has just been settled."""

    task_id: str
    task: str | None
    queue: str | None
    worker: str
    started_at: datetime
    must_end_by: datetime | None


@dataclass(frozen=True, slots=True)
class Worker:
    """One consumer process: a shard, or a plain Celery worker.

    ``claims`` counts the messages that it holds. ``state``, ``executed`` and ``running`` come from its
    run table, and are None or empty where it has none that can be read from here (another host, or a
    plain Celery worker).
    """

    id: str
    name: str
    host: str
    pid: int
    alive: bool
    started_at: datetime
    lease_until: datetime
    claims: int
    state: str | None
    executed: int | None
    running: tuple[RunningTask, ...]


def list_workers(store: Store, *, clock: Clock | None = None) -> tuple[Worker, ...]:
    """Return all consumers by name, dead ones included until their claims were given back."""
    dead = {info.id for info in store.dead()}
    now = clock or SystemClock()
    return tuple(
        _seen(store, info, alive=info.id not in dead, clock=now)
        for info in sorted(store.consumers(), key=lambda info: (info.name, info.pid))
    )


def _seen(store: Store, info: ConsumerInfo, *, alive: bool, clock: Clock) -> Worker:
    table = _table_of(info)
    state: str | None = None
    executed: int | None = None
    running: tuple[RunningTask, ...] = ()
    if table is not None:
        state, executed = table.state.name.lower(), table.executed
        running = tuple(_running(store, info, run, clock) for run in sorted(table.running(), key=lambda r: r.started))
        table.close()
    return Worker(
        id=info.id,
        name=info.name,
        host=info.host,
        pid=info.pid,
        alive=alive,
        started_at=to_datetime(info.started_at),
        lease_until=to_datetime(info.lease_until),
        claims=info.claims,
        state=state,
        executed=executed,
        running=running,
    )


def _table_of(info: ConsumerInfo) -> RunTable | None:
    """Open the consumer's run table; a path of another host, or one that was reused, gives None."""
    table = RunTable.open(Path(info.run_table)) if info.run_table else None
    if table is not None and table.consumer != info.id:
        table.close()
        return None
    return table


def _running(store: Store, info: ConsumerInfo, run: Running, clock: Clock) -> RunningTask:
    found = store.find(run.task_id)
    return RunningTask(
        task_id=run.task_id,
        task=found.envelope.task if found else None,
        queue=found.queue if found else None,
        worker=info.name,
        started_at=_wall(run.started, clock),
        must_end_by=_wall(run.hard_deadline, clock) if run.hard_deadline else None,
    )


def _wall(monotonic: float, clock: Clock) -> datetime:
    return to_datetime(Timestamp(clock.now() + monotonic - clock.monotonic()))
