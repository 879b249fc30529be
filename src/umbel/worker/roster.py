"""The supervisor's record of its shards, and what became of each.

forked ─► starting ─ready─► running ─drain─► draining ─exit─► gone
│                 │
└──condemn────────┴──kill──► gone (reaped, with its verdicts)
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from umbel.outcomes import Verdict
from umbel.transports.runtable import Running, RunTable

__all__ = ["Roster", "Shard"]


@dataclass(slots=True, eq=False)
class Shard:
    """One shard process. Times are on the monotonic clock.

    ``leaving`` says why it was told to drain, ``condemned_until`` when it is killed if it has not
    ended by then, ``blameless`` that its end is our doing, so what it ran is no suspect.
    """

    number: int
    name: str
    table_path: Path
    zygote: int
    asked_at: float
    pid: int = 0
    ready: bool = False
    leaving: str = ""
    condemned_until: float | None = None
    blameless: bool = False
    cause: str = ""
    told: bool = False
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    _table: RunTable | None = None

    @property
    def table(self) -> RunTable | None:
        """The shard's run table; None until it has made it."""
        if self._table is None:
            self._table = RunTable.open(self.table_path)
        return self._table

    @property
    def consumer(self) -> str:
        """Its consumer id; empty until it has registered."""
        return self.table.consumer if self.table is not None else ""

    def running(self) -> list[Running]:
        """Return the bodies that run in it."""
        return self.table.running() if self.table is not None else []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that is gone is no error."""
        if self.pid:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def drain(self, cause: str) -> None:
        """Tell it, once, to give back what waits, to end what runs, and to exit."""
        self.leaving = self.leaving or cause
        if self.pid and not self.told:
            self.told = True
            self.signal(signal.SIGTERM)

    def sentence(self, run: Running, verdict: Verdict) -> None:
        """Note why a body's process will be killed; in the run table too, since another may reap it first."""
        self.verdicts[run.receipt] = verdict
        if self.table is not None:
            self.table.sentence(run, verdict)

    def spare(self) -> None:
        """Note that its end is our doing; in the run table too, since another may reap it first."""
        self.blameless = True
        if self.table is not None:
            self.table.spare()

    def kill(self, cause: str) -> None:
        """End it now. What it ran is redelivered without blame, but for its verdicts."""
        self.spare()
        self.cause = self.cause or cause
        self.signal(signal.SIGKILL)

    def forget(self) -> None:
        """Remove its run table."""
        if self.table is not None:
            self.table.remove()


class Roster:
    """All shards that are not gone."""

    def __init__(self) -> None:
        self._shards: list[Shard] = []

    def __iter__(self) -> Iterator[Shard]:
        """Iterate over a copy, so that shards may come and go meanwhile."""
        return iter(tuple(self._shards))

    def __len__(self) -> int:
        return len(self._shards)

    def add(self, shard: Shard) -> None:
        """Add one that was asked for."""
        self._shards.append(shard)

    def remove(self, shard: Shard) -> None:
        """Remove one that is gone."""
        self._shards.remove(shard)

    def by_pid(self, pid: int) -> Shard | None:
        """Return the shard of this process."""
        return next((shard for shard in self._shards if shard.pid == pid), None)

    def awaited(self, number: int) -> Shard | None:
        """Return the shard with this number that has not been forked yet."""
        return next((shard for shard in self._shards if shard.number == number and not shard.pid), None)

    def free_number(self) -> int:
        """Return the lowest number that no shard has; the first is 1."""
        taken = {shard.number for shard in self._shards}
        return next(number for number in range(1, len(taken) + 2) if number not in taken)

    @property
    def staying(self) -> list[Shard]:
        """Those that are not leaving."""
        return [shard for shard in self._shards if not shard.leaving]
