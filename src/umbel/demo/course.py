"""The course of one run: publishes the stages, watches them, and kills a shard on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from celery.result import AsyncResult

from umbel.demo.chaos import Kill, kill_busy_shard
from umbel.demo.errors import DemoError
from umbel.demo.ledger import Ledger
from umbel.demo.pipeline import analysis, identification, ingestion
from umbel.demo.process import Worker
from umbel.demo.progress import Snapshot, Stage, View
from umbel.demo.source import Block
from umbel.demo.tasks import FLIGHTS_PER_TASK, status
from umbel.demo.warehouse import Warehouse
from umbel.transports.base import DeadLetterFilter, Store

__all__ = ["Course"]

_TICK_SECONDS = 0.1
_QUESTION_SECONDS = 0.25
_STUCK_SECONDS = 60.0
_KILL_AFTER = 0.3
"""The share of the measurements that is done when the shard dies."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the course works with."""

    store: Store
    worker: Worker
    warehouse: Warehouse
    ledger: Ledger
    view: View


class Course:
    """Runs the stages one after the other; afterwards its fields say what it has seen.

    ``asked`` are the moments (epoch seconds) of the critical questions by task id, ``backlog`` the
    most bulk tasks that waited meanwhile, ``seconds`` the whole time.
    """

    def __init__(self, site: Site, *, chaos: bool) -> None:
        self.kill: Kill | None = None
        self.asked: dict[str, float] = {}
        self.backlog = 0
        self.seconds = 0.0
        self._site = site
        self._chaos = chaos
        self._began = self._moved = time.monotonic()
        self._executions = 0
        self._stages = [Stage("ingest", "blocks"), Stage("identify", "aircraft"), Stage("measure", "pieces")]

    def complete(self, blocks: list[Block], *, address: str) -> None:
        """Run everything, until no message is left in the queues.

        Raises:
            DemoError: a stage failed, the worker ended, or nothing moved for a minute.
        """
        warehouse = self._site.warehouse
        self._run(0, len(blocks), lambda: ingestion(blocks))
        tailnums = warehouse.tailnums()
        self._run(1, len(tailnums), lambda: identification(tailnums, address=address))
        rows = warehouse.rows_by_carrier_and_month()
        pieces = sum(math.ceil(count / FLIGHTS_PER_TASK) for count in rows.values())
        carriers = sorted({carrier for carrier, _ in rows})
        self._run(2, pieces, lambda: analysis(carriers), meanwhile=self._disturb)
        while not self._idle():
            self._tick()
        self.seconds = time.monotonic() - self._began

    def _run(
        self,
        number: int,
        total: int,
        publish: Callable[[], AsyncResult],
        *,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        self._stages[number] = replace(self._stages[number], total=total)
        result = self._published(publish)
        while not result.ready():
            self._tick()
            if meanwhile is not None:
                meanwhile()
        if result.failed():
            raise DemoError(f"stage {self._stages[number].name}: {result.result!r}", hint="worker.log says more")

    def _published(self, publish: Callable[[], AsyncResult]) -> AsyncResult:
        """Publish in another thread: thousands of messages take a while, and the view goes on."""
        with ThreadPoolExecutor(max_workers=1) as thread:
            result = thread.submit(publish)
            while not result.done():
                self._tick()
            return result.result()

    def _tick(self) -> None:
        site = self._site
        site.worker.pause(_TICK_SECONDS)
        site.worker.check()
        self._show()
        if time.monotonic() - self._moved > _STUCK_SECONDS:
            raise DemoError(
                f"nothing has moved for {_STUCK_SECONDS:.0f} s:\n{site.worker.log_tail()}",
                hint=f"the whole log is {site.worker.log}",
            )

    def _show(self) -> None:
        site, counts = self._site, self._site.ledger.update()
        now = time.monotonic()
        if counts.executions != self._executions:
            self._executions, self._moved = counts.executions, now
        self._stages = [replace(stage, done=min(counts.done(stage.name), stage.total or 0)) for stage in self._stages]
        queues = site.store.queues()
        self.backlog = max(self.backlog, *(stats.ready for stats in queues), 0)
        site.view.show(
            Snapshot(
                elapsed=now - self._began,
                stages=tuple(self._stages),
                queues=queues,
                executions=counts.executions,
                retries=counts.retries,
                dead=site.store.count_dead(DeadLetterFilter()),
                recovered=len(counts.recovered),
            )
        )

    def _disturb(self) -> None:
        """Ask somebody's question now and then, and kill a shard once."""
        now = time.time()
        if now - max(self.asked.values(), default=0.0) >= _QUESTION_SECONDS:
            self.asked[status.delay("UA").id] = now
        measured = self._stages[2]
        if self._chaos and self.kill is None and measured.done >= _KILL_AFTER * (measured.total or 0):
            self.kill = kill_busy_shard(self._site.store, spare=self._site.worker.process.pid)
            self._tell()

    def _tell(self) -> None:
        if self.kill is not None:
            self._site.ledger.watch(self.kill.held)
            self._site.view.say(
                f"SIGKILL to shard {self.kill.shard} (pid {self.kill.pid}); "
                f"running bodies: {len(self.kill.running)}, messages it held: {len(self.kill.held)}"
            )

    def _idle(self) -> bool:
        return not any(stats.ready + stats.delayed + stats.claimed for stats in self._site.store.queues())
