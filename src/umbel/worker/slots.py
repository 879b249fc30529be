"""The pool of a shard: slots that run bodies, each in its own thread.

A slot takes its next message itself, below Celery, and carries it through Celery's consumer, strategy
and tracer in its own thread: nothing crosses from one thread to another on the way of a task. What
Celery hands over from elsewhere (a rate-limited task when its token comes) goes first.

With one slot, that is the shard's main thread.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from billiard.einfo import ExceptionInfo
from celery.concurrency.base import BasePool
from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.log import get_logger
from celery.worker import state

from umbel.errors import TaskError, UnsupportedError
from umbel.worker.soft_limits import SoftLimit

if TYPE_CHECKING:
    from umbel.transports.runtable import RunTable
    from umbel.worker.express import Express, Running
    from umbel.worker.prefetch import Prefetch

__all__ = ["Job", "Slot", "SlotPool", "outcome_of"]

logger = get_logger(__name__)


@dataclass(slots=True)
class Job:
    """One body to run, as Celery's request hands it to a pool."""

    target: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task_id(self) -> str:
        """The task's id."""
        return str(self.options.get("correlation_id") or "")


class Slot:
    """Runs one body at a time and says so in the run table."""

    def __init__(self, number: int, table: RunTable, defaults: tuple[float, float]) -> None:
        self.number = number
        self.limit = SoftLimit()
        self.executed = 0
        self.receipt = ""
        self.busy = False
        self.current: Running | None = None
        self._table = table
        self._defaults = defaults

    def trace(
        self,
        task_id: str,
        *,
        soft: float | None,
        hard: float | None,
        tracer: Callable[..., Any],
        arguments: Sequence[Any],
        on_soft: Callable[[bool, float], None] | None,
    ) -> Any:  # noqa: ANN401 - what the tracer returns
        """Run one body through Celery's tracer, under its limits (seconds), and say so in the run table."""
        soft, hard = soft or self._defaults[0], hard or self._defaults[1]
        now = time.monotonic()
        self.busy = True
        self._table.start(self.number, self.receipt, task_id, now + soft if soft else 0.0, now + hard if hard else 0.0)
        limit = self.limit
        try:
            if not soft:
                return tracer(*arguments)
            limit.arm(soft, now + soft, on_soft)
            try:
                return tracer(*arguments)
            finally:
                try:
                    limit.disarm()
                except SoftTimeLimitExceeded:
                    limit.disarm()  # it fires once, and came too late: the outcome stands
        finally:
            self._table.finish(self.number)
            self.executed += 1
            self.busy = False

    def run(self, job: Job) -> None:
        """Run one body as Celery's request hands it over, with its callbacks."""
        options = job.options
        accepted, failed = options.get("accept_callback"), options.get("error_callback")
        try:
            if accepted is not None:
                accepted(os.getpid(), time.monotonic())
            outcome = self.trace(
                job.task_id,
                soft=options.get("soft_timeout"),
                hard=options.get("timeout"),
                tracer=partial(job.target, **job.kwargs) if job.kwargs else job.target,
                arguments=job.args,
                on_soft=options.get("timeout_callback"),
            )
            options["callback"](outcome)
        except BaseException as problem:  # nothing that a body raises may end its slot
            if failed is None:
                raise
            failed(outcome_of(problem))


class SlotPool(BasePool):
    """Celery's pool interface over the slots."""

    body_can_be_buffer = True
    signal_safe = False

    table: RunTable
    prefetch: Prefetch
    express: Express | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's own options
        super().__init__(*args, **kwargs)
        self.slots: list[Slot] = []
        self._here = threading.local()

    def furnish(self, table: RunTable, prefetch: Prefetch) -> None:
        """Make the slots; before any message can come."""
        self.table = table
        self.prefetch = prefetch
        defaults = (float(self.options.get("soft_timeout") or 0.0), float(self.options.get("timeout") or 0.0))
        self.slots = [Slot(number, table, defaults) for number in range(table.slots)]

    @property
    def executed(self) -> int:
        """How many bodies have ended."""
        return sum(slot.executed for slot in self.slots)

    @property
    def num_processes(self) -> int:
        """How many bodies can run at once."""
        return len(self.slots) or int(self.limit or 1)

    def serve(self, slot: Slot) -> None:
        """Take messages and run them in this thread until the prefetch is closed."""
        self._here.slot = slot
        slot.limit.bind()
        prefetch = self.prefetch
        while True:
            work = prefetch.take()
            if work is None:
                return
            started = time.monotonic()
            try:
                if isinstance(work, tuple):
                    job, slot.receipt = work
                    slot.run(job)
                else:
                    slot.receipt = work.claim.receipt
                    if self.express is None or not self.express.carry(slot, work.claim):
                        prefetch.deliver(work)
            except BaseException as problem:
                # Celery's bookkeeping failed. A slot that ended here would be missed, and its message never settled.
                logger.critical("A delivery could not be brought to its end: %r", problem, exc_info=problem)
                prefetch.rescue(slot.receipt, problem)
            finally:
                slot.receipt = ""
                try:
                    prefetch.finished(started)
                except Exception as problem:  # as above; the consumer's thread meets the same error and says more
                    logger.critical("Claiming failed: %r", problem, exc_info=problem)

    def on_apply(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,  # noqa: ANN401 - Celery's own options
    ) -> None:
        """Run at once in a slot's own thread; from elsewhere, hand over to the next free slot."""
        job = Job(target, args, kwargs or {}, options)
        slot: Slot | None = getattr(self._here, "slot", None)
        if slot is not None and not slot.busy:
            slot.run(job)
            return
        self.prefetch.hand_over((job, _receipt_of(job.task_id)))

    def terminate_job(self, pid: int, signal: int | None = None) -> None:
        """Refuse: one body of a thread cannot be ended from outside."""
        message = f"revoke(terminate=True) asked a shard of threads to end one task (pid {pid}, signal {signal})"
        raise UnsupportedError(message, hint="give the task a time limit, or run it in a worker with a prefork pool")

    def on_stop(self) -> None:
        """Wait for what runs; the supervisor bounds how long."""
        self.prefetch.drain()
        self.prefetch.wait_idle()

    def _get_info(self) -> dict[str, Any]:
        info: dict[str, Any] = super()._get_info()
        return info | {"max-concurrency": self.num_processes, "processes": [os.getpid()], "threads": self.num_processes}


def outcome_of(problem: BaseException) -> ExceptionInfo:
    """Return the current error as Celery takes it. A SystemExit and its like end no process here, so that they are
    failures like any other; they must not end the process of who asks for the result either.
    """
    if isinstance(problem, Exception):
        return ExceptionInfo()
    try:
        raise TaskError(f"the body raised {problem!r}", error_code="TASK_EXITED") from problem  # noqa: TRY301 - to have it current
    except TaskError:
        return ExceptionInfo()


def _receipt_of(task_id: str) -> str:
    """Return the receipt of a task that Celery held back, for a rate limit or a time."""
    request = state.requests.get(task_id)
    claim = getattr(request.message, "claim", None) if request is not None else None
    return claim.receipt if claim is not None else ""
