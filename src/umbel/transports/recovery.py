"""Giving back what dead consumers held.

Who may call it: the supervisor, at once, for its own shard that died; any consuming process, now and
then, for every consumer that is dead. Two at once are harmless: a reap is one transaction that finds
the consumer or does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from umbel import events
from umbel.outcomes import Verdict
from umbel.transports.base import ConsumerInfo, Reaped, Receipt, Store
from umbel.transports.runtable import RunTable

__all__ = ["reap_consumer", "recover"]


def recover(store: Store, *, crash_limit: int = 3) -> list[Reaped]:
    """Reap every dead consumer; return what was done for each."""
    return [_reap_unattended(store, info, crash_limit) for info in store.dead()]


def reap_consumer(
    store: Store,
    consumer: str,
    *,
    started: list[Receipt] | None,
    verdicts: Mapping[Receipt, Verdict] | None = None,
    crash_limit: int = 3,
) -> Reaped:
    """Reap one dead consumer and emit what was done."""
    reaped = store.reap(consumer, started=started, verdicts=verdicts, crash_limit=crash_limit)
    events.emit(
        events.ConsumerReaped(
            consumer=consumer,
            released=tuple(reaped.released),
            suspects=tuple(reaped.suspects),
            crashed=tuple(reaped.crashed),
            verdicts=tuple((task_id, str(verdict)) for task_id, verdict in reaped.verdicts.items()),
        )
    )
    return reaped


def _reap_unattended(store: Store, info: ConsumerInfo, crash_limit: int) -> Reaped:
    table = _table_of(info)
    started = None if table is None else table.started
    verdicts = None if table is None else table.verdicts
    reaped = reap_consumer(store, info.id, started=started, verdicts=verdicts, crash_limit=crash_limit)
    if table is not None:
        table.remove()
    return reaped


def _table_of(info: ConsumerInfo) -> RunTable | None:
    table = RunTable.open(Path(info.run_table)) if info.run_table else None
    if table is not None and table.consumer != info.id:
        # The file has a new owner, which may be alive: it says nothing of the dead one, and it must stay.
        table.close()
        return None
    return table
