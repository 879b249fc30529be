"""The campaign: publish, wait until bodies run, kill, check, and again.

Nothing is killed by its real guilt here, but three deaths alone make a task poison: so no task is hit
more often than twice. To know what a kill hits, the victims are frozen first; what then runs is theirs.
"""

from __future__ import annotations

import random
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.kill_campaign.checker import Checker, Finding
from tests.acceptance.kill_campaign.ledger import Entry, Ledger
from tests.acceptance.kill_campaign.mill import build
from tests.acceptance.kill_campaign.processes import ShardProcess, Worker, freeze, gone, send, thaw, wait_until
from tests.acceptance.kill_campaign.work import Publisher

from umbel.transports.base import Store

MOST_HITS = 2
"""One less than the crashes that make a task poison."""

WAITING = 40
"""So many messages are kept waiting, that every slot is busy."""

PATIENCE = 30.0
"""Seconds within which a moment for the next kill must come."""

MIXED = {"shard": 80, "zombie": 6, "supervisor": 7, "everything": 7}


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: what was killed, when (monotonic seconds), the bodies that it hit, and when a new
    worker was ready, where all of it had been killed.
    """

    what: str
    at: float
    hit: tuple[Entry, ...]
    ready_at: float | None = None


@dataclass
class Mill:
    """One database with its app, its ledger and its workers."""

    folder: Path
    app: Any
    store: Store
    ledger: Ledger
    chance: random.Random
    options: tuple[str, ...] = ("--processes", "2", "--threads", "2")
    faults: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    checker: Checker = field(init=False)
    publisher: Publisher = field(init=False)

    def __post_init__(self) -> None:
        self.checker = Checker(self.app, self.store, self.ledger)
        self.publisher = Publisher(self.app, self.chance)

    @classmethod
    def at(cls, folder: Path, *, seed: int, **options: Any) -> Mill:
        app = build(folder)
        return cls(folder, app, app.open_store(), Ledger(folder / "ledger"), random.Random(seed), **options)

    @property
    def worker(self) -> Worker:
        return self.workers[-1]

    def start(self) -> float:
        """Start a worker; return when it was ready."""
        environment = {"MILL_FAULTS": self.faults, **self.environment}
        self.workers.append(Worker(self.folder, self.store, self.options, environment))
        return self.worker.wait_ready()

    def waiting(self) -> int:
        return sum(queue.ready + queue.delayed + queue.claimed for queue in self.store.queues())

    def finish(self, *, within: float = 60.0) -> list[Finding]:
        """Let the rest run, stop the worker, and check the whole."""
        wait_until(lambda: self.waiting() == 0, within, lambda: f"all is done:\n{self.worker.log_tail()}")
        assert self.worker.stop() == 0, self.worker.log_tail()
        return self.checker.at_the_end(self.publisher.jobs)

    def close(self) -> None:
        for worker in self.workers:
            worker.end()
        self.app.pool.force_close_all()
        self.app.backend.close()
        self.store.close()


class Campaign:
    """Kills at random moments while bodies run, until something is found or it has killed enough."""

    def __init__(self, mill: Mill, kinds: Mapping[str, int] = MIXED) -> None:
        self.mill = mill
        self.kills: list[Kill] = []
        self.findings: list[Finding] = []
        self._kinds = kinds
        self._hits: Counter[str] = Counter()
        self._settled: set[str] = set()
        self._ways: dict[str, Callable[[], bool]] = {
            "shard": self._kill_shard,
            "zombie": self._make_zombie,
            "supervisor": self._kill_supervisor,
            "everything": self._kill_everything,
        }

    def run(self, kills: int) -> list[Finding]:
        """Kill so often, or until a violation is found; return what was found."""
        chance = self.mill.chance
        while len(self.kills) < kills and not self.findings:
            way = self._ways[chance.choices(list(self._kinds), list(self._kinds.values()))[0]]
            deadline = time.monotonic() + PATIENCE
            while not way():
                assert time.monotonic() < deadline, (
                    f"no moment for a kill within {PATIENCE:g} s:\n{self.mill.worker.log_tail()}"
                )
            self.findings += self.mill.checker.ledger_so_far()
        return self.findings

    def delays(self, *kinds: str) -> list[float]:
        """Return how many seconds passed from each kill, or the restart after it, to the next start of what it hit."""
        return sorted(delay for kill in self.kills if kill.what in kinds for delay in self._delays(kill))

    def summary(self) -> str:
        counts = Counter(kill.what for kill in self.kills)
        entries = self.mill.ledger.read().entries
        starts = [entry for entry in entries if entry.event == "start"]
        repeats = len(starts) - len({entry.attempt for entry in starts})
        lines = [f"{len(self.kills)} kills {dict(counts)}, {len(starts)} bodies started, {repeats} of them repeats"]
        for what in counts:
            delays = self.delays(what)
            if delays:
                lines.append(
                    f"  {what}: again after {statistics.median(delays):.3f} s (median), {delays[-1]:.3f} s (longest)"
                )
        return "\n".join(lines)

    # The ways to kill. Each returns False when there was no moment for it.

    def _kill_shard(self) -> bool:
        shard = self._pick()
        if shard is None:
            return False
        if not self._freeze_busy([shard]):
            return False
        self._note("shard", [shard], [shard.pid])
        send(shard.pid, signal.SIGKILL)
        return True

    def _make_zombie(self) -> bool:
        """Declare a living shard dead while it runs a body; kill it when that has ended."""
        shard = self._pick()
        if shard is None:
            return False
        ran = tuple(self.mill.ledger.read().running(shard.pid))
        at = self.mill.checker.died(shard.pid)
        self.mill.store.reap(shard.consumer, started=())
        self.kills.append(Kill("zombie", at, ran))
        wait_until(
            lambda: gone(shard.pid) or not self.mill.ledger.read().running(shard.pid),
            10,
            lambda: "a zombie's bodies end",
        )
        time.sleep(self.mill.chance.uniform(0.0, 0.1))  # so that it may settle what it does not own any more
        send(shard.pid, signal.SIGKILL)
        return True

    def _kill_supervisor(self) -> bool:
        return self._kill_worker("supervisor", self.mill.worker.kill_supervisor)

    def _kill_everything(self) -> bool:
        return self._kill_worker("everything", self.mill.worker.kill_all)

    def _kill_worker(self, what: str, kill: Callable[[], list[int]]) -> bool:
        self._await_moment()
        shards = self.mill.worker.shards()
        if len(shards) < self.mill.worker.processes or self._somebody_is_spared() or not self._freeze_busy(shards):
            return False  # a shard that is just coming up would be hit, too, and nobody would know what it ran
        self._note(what, shards, self.mill.worker.family())
        kill()
        self._count_late_hits(shards)
        self.findings += self.mill.checker.while_nothing_runs(self.mill.publisher.jobs)
        noted = self.kills.pop()
        self.kills.append(Kill(what, noted.at, noted.hit, self.mill.start()))
        return True

    def _somebody_is_spared(self) -> bool:
        """Whether a task waits or runs that must not be hit again: a thawed shard might start it in its last moment."""
        hit_enough = {task_id for task_id, hits in self._hits.items() if hits >= MOST_HITS} - self._settled
        self._settled |= {task_id for task_id in hit_enough if self.mill.store.find(task_id) is None}
        return bool(hit_enough - self._settled)

    def _count_late_hits(self, shards: Iterable[ShardProcess]) -> None:
        """Count what started after the freeze: when its supervisor dies, the kernel thaws an orphaned process
        group, and the shards run on until their zygote's death reaches them.
        """
        counted = {entry.id for entry in self.kills[-1].hit}
        self._hits.update(self._bodies_in(shards) - counted)

    # Its moments.

    def _pick(self) -> ShardProcess | None:
        """Return a shard in which a body runs now."""
        self._await_moment()
        ledger = self.mill.ledger.read()
        busy = [shard for shard in self.mill.worker.shards() if ledger.running(shard.pid)]
        return self.mill.chance.choice(busy) if busy else None

    def _await_moment(self) -> None:
        """Keep work waiting, and let a random while pass: the moment of a kill is nobody's choice."""
        if self.mill.store.size("celery") < WAITING:
            self.mill.publisher.publish(WAITING)
        time.sleep(self.mill.chance.uniform(0.0, 0.04))

    def _freeze_busy(self, shards: list[ShardProcess]) -> bool:
        """Freeze these shards; thaw them and return False when none runs a body, or one that was hit enough."""
        frozen = [shard for shard in shards if freeze(shard.pid)]
        bodies = self._bodies_in(frozen)
        running = any(self.mill.ledger.running(shard.pid) for shard in frozen)
        spared = any(self._hits[task_id] >= MOST_HITS for task_id in bodies)
        if running and not spared and len(frozen) == len(shards):
            self._hits.update(bodies)
            return True
        for shard in frozen:
            thaw(shard.pid)
        return False

    def _bodies_in(self, shards: Iterable[ShardProcess]) -> set[str]:
        """Return the ids of what runs there, by the ledger or by the run tables: whatever can be blamed."""
        ledger = self.mill.ledger.read()
        written = {entry.id for shard in shards for entry in ledger.running(shard.pid)}
        return written | {run.task_id for shard in shards for run in shard.running()}

    def _note(self, what: str, shards: Iterable[ShardProcess], pids: Iterable[int]) -> None:
        checker = self.mill.checker
        for shard in shards:
            if not any(death.pid == shard.pid for death in checker.deaths):
                self.findings += checker.while_running(shard)
        at = max(checker.died(pid) for pid in pids)
        hit = tuple(entry for shard in shards for entry in self.mill.ledger.running(shard.pid))
        self.kills.append(Kill(what, at, hit))

    def _delays(self, kill: Kill) -> Iterable[float]:
        since = kill.ready_at or kill.at
        for entry in kill.hit:
            later = [start for start in self.mill.ledger.starts_of(entry.id) if start.attempt == entry.attempt]
            again = next((start.at for start in later if start.at > kill.at), None)
            if again is not None:
                yield max(0.0, again - since)
