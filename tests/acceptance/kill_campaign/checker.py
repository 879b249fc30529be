"""What must hold whoever dies, read off the ledger and the stored state.

while a body runs     its message is claimed by the very process that runs it      else STOLEN
while nothing runs    what was published waits in the broker, or is stored         else LOST, or
                      when its body had ended                                      UNSTORED
at any time           an attempt is delivered once, or again because its process   else REPEATED,
                      died: then it is marked redelivered                          UNEXPLAINED
at the end            every value is as expected, every body has ended,            else WRONG
                      nothing waits, and there is no dead letter
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from celery import states
from tests.acceptance.kill_campaign.ledger import Attempt, Entry, Ledger
from tests.acceptance.kill_campaign.processes import ShardProcess
from tests.acceptance.kill_campaign.work import Job

from umbel.transports.base import DeadLetterFilter, Store


class Kind(StrEnum):
    """What was violated."""

    LOST = "lost: neither in the broker nor stored, and its body has not ended"
    UNSTORED = "acknowledged before its result was stored"
    STOLEN = "settled by somebody who did not own it"
    REPEATED = "published twice"
    UNEXPLAINED = "ran again although nobody died"
    WRONG = "not as expected in the end"


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation."""

    kind: Kind
    what: str


@dataclass(frozen=True, slots=True)
class Death:
    """A process that was killed, or declared dead, at this monotonic time."""

    pid: int
    at: float


@dataclass
class Checker:
    """Finds violations. ``deaths`` is what explains a repeat; whoever kills says so with :meth:`died`."""

    app: Any
    store: Store
    ledger: Ledger
    deaths: list[Death] = field(default_factory=list)
    _starts: defaultdict[Attempt, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    _ids: dict[str, str] = field(default_factory=dict)
    _seen: int = 0
    _stored: set[str] = field(default_factory=set)

    def died(self, pid: int) -> float:
        """Note that this process dies, or is declared dead, now; return the moment."""
        at = time.monotonic()
        self.deaths.append(Death(pid, at))
        return at

    def while_running(self, shard: ShardProcess) -> list[Finding]:
        """Check a frozen shard that lives: what it runs must be its own."""
        ids = {entry.id for entry in self.ledger.read().running(shard.pid)}
        ids &= {run.task_id for run in shard.running()}
        held = {found.envelope.task_id for found in self.store.held(shard.consumer)}
        return [Finding(Kind.STOLEN, f"{task_id} runs in {shard.pid}") for task_id in ids - held]

    def ledger_so_far(self) -> list[Finding]:
        """Check the lines that are new since the last call."""
        new = self.ledger.read().entries[self._seen :]
        self._seen = len(self.ledger.entries)
        return [finding for entry in new if entry.event == "start" for finding in self._started(entry)]

    def while_nothing_runs(self, jobs: Iterable[Job]) -> list[Finding]:
        """Check that nothing is lost, and nothing acknowledged before its result was stored."""
        waiting = [job for job in jobs if job.id and job.id not in self._stored]
        self._stored |= self._with_result([job.id for job in waiting if job.id])
        after = {job.id: job.after for job in waiting}
        self.ledger.read()
        return [self._missing(job.id) for job in waiting if job.id and not self._accounted(job.id, after)]

    def at_the_end(self, jobs: Collection[Job]) -> list[Finding]:
        """Check the whole: every value, every body, no rest."""
        self.ledger.read()
        found = self.ledger_so_far()
        found += [Finding(Kind.WRONG, f"dead letter: {letter}") for letter in self.store.list_dead(DeadLetterFilter())]
        for queue in self.store.queues():
            if queue.ready + queue.delayed + queue.claimed + queue.parked:
                found.append(Finding(Kind.WRONG, f"left in a queue: {queue}"))
        ids = {job.token: job.id or self._ids.get(job.token, "") for job in jobs}
        metas = self._metas([task_id for task_id in ids.values() if task_id])
        for job in jobs:
            found += self._judged(job, ids[job.token], metas.get(ids[job.token], {}))
        return found

    def _started(self, entry: Entry) -> Iterable[Finding]:
        if self._ids.setdefault(entry.token, entry.id) != entry.id:
            yield Finding(Kind.REPEATED, f"{entry.token}: {entry.id} and {self._ids[entry.token]}")
        earlier = self._starts[entry.attempt]
        if not earlier or self._was_dead(entry.pid, entry.at):
            pass  # who was declared dead goes on with what it had claimed, before or after others run it
        elif not entry.redelivered:
            yield Finding(Kind.REPEATED, f"{entry} after {earlier[-1]}")
        elif not self._was_dead(earlier[-1].pid, entry.at):
            yield Finding(Kind.UNEXPLAINED, f"{entry} after {earlier[-1]}")
        earlier.append(entry)

    def _was_dead(self, pid: int, at: float) -> bool:
        return any(death.pid == pid and death.at < at for death in self.deaths)

    def _accounted(self, task_id: str, after: dict[str | None, tuple[str, ...]]) -> bool:
        return self._waits(task_id, after) or task_id in self._stored

    def _waits(self, task_id: str, after: dict[str | None, tuple[str, ...]]) -> bool:
        """Whether it is in the broker, or is to come from one that is."""
        if self.store.find(task_id) is not None:
            return True
        return task_id not in self._stored and any(self._waits(before, after) for before in after.get(task_id, ()))

    def _missing(self, task_id: str) -> Finding:
        ends = [(end.attempt, end.pid) for end in self.ledger.ends_of(task_id)]
        starts = [(start.attempt, start.pid) for start in self.ledger.starts_of(task_id)]
        return Finding(Kind.UNSTORED if starts and starts[-1] in ends else Kind.LOST, task_id)

    def _judged(self, job: Job, task_id: str, meta: dict[str, Any]) -> Iterable[Finding]:
        if meta.get("status") != states.SUCCESS or meta.get("result") != job.value:
            yield Finding(Kind.WRONG, f"{job}: expected {job.value!r}, found {meta or 'no result'}")
        if not self.ledger.ends_of(task_id):
            yield Finding(Kind.WRONG, f"{job}: no body of it has ended")

    def _with_result(self, ids: list[str]) -> set[str]:
        return {task_id for task_id, meta in self._metas(ids).items() if meta["status"] in states.READY_STATES}

    def _metas(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for first in range(0, len(ids), 500):
            found.update(self.app.backend.look(ids[first : first + 500]))
        return found
