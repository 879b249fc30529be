"""The supervisor: keeps the right number of healthy shards, and gives back what the dead ones held.

It never imports the application: the zygote does, in a process of its own. It owns no message and runs
no body, so nothing that a task does can hurt it. Everything it must know of a shard that hangs stands in
the shard's run table, which it reads without asking.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from umbel import events
from umbel.observability import set_up_logging
from umbel.transports.recovery import reap_consumer, recover
from umbel.transports.registry import open_store
from umbel.worker import hard_limits
from umbel.worker.facts import WorkerFacts
from umbel.worker.health import Health
from umbel.worker.nursery import Nursery
from umbel.worker.roster import Roster, Shard
from umbel.worker.rota import Duty, Rota

if TYPE_CHECKING:
    from umbel.transports.base import Store
    from umbel.worker.options import WorkerOptions
    from umbel.worker.wire import Message

__all__ = ["Supervisor"]

_TURN = 0.1
_RECOVER_EVERY = 0.5
_MEMORY_EVERY = 1.0
_WEDGED_AFTER = 30.0
_STEADY_AFTER = 5.0
"""Seconds after which a shard that consumes shows that shards can start."""
_RESTART_DELAYS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)


class Supervisor:
    """One `umbel worker`."""

    def __init__(
        self,
        app: str,
        options: WorkerOptions,
        *,
        zygote_module: str,
        duties: Callable[[WorkerFacts], Sequence[Duty]] = lambda _facts: (),
    ) -> None:
        self._options = options
        self._nursery = Nursery(app, options, zygote_module)
        self._make_duties = duties
        self._roster = Roster()
        self._rota = Rota(options.node())
        self._selector = selectors.DefaultSelector()
        self._store: Store | None = None
        self._facts: WorkerFacts
        self._health: Health | None = None
        self._stopping = ""
        self._deadline: float | None = None
        self._exit_code = 0
        self._announced = False
        self._failures = 0
        self._dead: list[tuple[Shard, Sequence[str]]] = []
        self._unknown: set[str] = set()
        self._reload_wanted = False
        self._told_of_reload = False
        self._fork_at: float = 0.0

    def run(self) -> int:
        """Run until told to stop; return the exit code (0 after a clean drain)."""
        self._watch_signals()
        try:
            facts = self._nursery.start(self._selector, lambda: bool({*self._signals()} - {signal.SIGHUP}))
            if facts is None:
                return 0
            self._prepare(facts)
            while not self._finished():
                self._turn()
        finally:
            self._close()
        events.emit(events.WorkerStopped(worker=self._options.node(), exit_code=self._exit_code))
        return self._exit_code

    def _prepare(self, facts: WorkerFacts) -> None:
        self._facts = facts
        set_up_logging(facts.loglevel)
        self._store = open_store(facts.store, options=facts.store_options) if facts.store else None
        self._health = Health(facts, self._options.node())
        self._report_health()
        if self._store is not None:
            # A broker that cannot be read and written is an error now, and an outage later.
            recover(self._store, crash_limit=facts.crash_limit)
            self._store.sweep()
        self._schedule(facts)

    # One turn.

    def _turn(self) -> None:
        self._keep_number()
        for key, _ in self._selector.select(min(_TURN, self._rota.pause())):
            if key.data is None:
                self._on_signals()
            else:
                self._on_wire(key.data)
        self._enforce(time.monotonic())
        self._rota.do_what_is_due()

    def _finished(self) -> bool:
        return bool(self._stopping) and not len(self._roster)

    def _schedule(self, facts: WorkerFacts) -> None:
        self._rota.every(1.0, self._report_health)
        self._rota.every(_MEMORY_EVERY, self._check_memory)
        if self._store is None:
            return
        store = self._store
        self._rota.every(_RECOVER_EVERY, self._recover)
        self._rota.every(facts.lease / 3, self._renew)
        self._rota.every(60.0, lambda: _ignore(store.sweep()))
        for duty in self._make_duties(facts):
            self._rota.every(duty.every, partial(duty.run, store))

    # The number of shards.

    def _keep_number(self) -> None:
        now = time.monotonic()
        if self._failures and any(shard.ready and now - shard.asked_at > _STEADY_AFTER for shard in self._roster):
            self._failures = 0
        if self._stopping or now < self._fork_at:
            return
        if (self._reload_wanted or self._nursery.zygote is None) and self._nursery.loading is None:
            self._reload_wanted = False
            self._nursery.reload(self._selector)
        if self._nursery.zygote is None:
            return
        while len(self._roster.staying) < self._facts.processes:
            number = self._roster.free_number()
            self._roster.add(self._nursery.fork(number, self._options.shard_name(number)))

    def _on_wire(self, zygote: int) -> None:
        if not self._nursery.knows(zygote):
            return
        message = self._nursery.receive(zygote)
        if message is None:
            self._on_zygote_gone(zygote)
            return
        handler = getattr(self, f"_on_{message['kind']}", None)
        if handler is not None:
            handler(message)

    def _on_forked(self, message: Message) -> None:
        shard = self._roster.awaited(message["number"])
        if shard is not None:
            shard.pid = message["pid"]
            if self._stopping:
                shard.drain(self._stopping)

    def _on_shard_ready(self, message: Message) -> None:
        shard = self._roster.by_pid(message["pid"])
        if shard is None:
            return
        shard.ready = True
        events.emit(events.ShardStarted(shard=shard.name, pid=shard.pid))
        self._nursery.on_ready(self._roster)
        ready = [member for member in self._roster.staying if member.ready]
        if not self._announced and len(ready) >= self._facts.processes:
            self._announced = True
            self._rota.attempt(self._report_health)
            events.emit(events.WorkerReady(worker=self._options.node(), shards=len(ready), queues=self._facts.queues))

    def _on_retiring(self, message: Message) -> None:
        shard = self._roster.by_pid(message["pid"])
        if shard is not None and not shard.leaving:
            shard.leaving = "it has run as many tasks as it may"

    def _on_broke(self, message: Message) -> None:
        """Its consumer has failed, which Celery's log shows: it is no good any more, and counts as not started."""
        shard = self._roster.by_pid(message["pid"])
        if shard is not None:
            shard.ready = False
            shard.cause = shard.cause or "its consumer failed"

    def _on_shutdown(self, message: Message) -> None:
        shard = self._roster.by_pid(message["pid"])
        if shard is not None and shard.ready and not shard.leaving:
            shard.leaving = "control shutdown"
            self._stop("control shutdown")

    def _on_loaded(self, _message: Message) -> None:
        """A reloaded application: roll the shards."""
        self._facts = self._nursery.facts
        self._nursery.roll(self._roster)

    def _on_failed(self, message: Message) -> None:
        self._told_of_reload = True
        self._refuse_reload(f"{message['error']['error_code']}: {message['error']['message']}")

    def _refuse_reload(self, cause: str) -> None:
        goes_on = "the old code goes on" if self._nursery.zygote is not None else "it will be tried again"
        sys.stderr.write(f"error: WORKER_RELOAD_FAILED: {cause}; {goes_on}\n")
        sys.stderr.flush()

    def _on_zygote_gone(self, zygote: int) -> None:
        if zygote == self._nursery.loading and not self._told_of_reload:
            self._refuse_reload("the process that loads the application ended before it was done")
        self._told_of_reload = False
        self._nursery.forget(zygote, self._selector)
        for shard in self._roster:
            if shard.zygote == zygote:
                shard.signal(signal.SIGKILL)
                self._nursery.wait_gone(shard.pid)
                self._bury(shard, shard.cause or "its zygote died")
        if not self._stopping and self._nursery.zygote is None:
            self._count_failure()

    def _on_exited(self, message: Message) -> None:
        shard = self._roster.by_pid(message["pid"])
        if shard is not None:
            self._bury(shard, shard.cause or shard.leaving or _words(message["status"]))

    def _bury(self, shard: Shard, cause: str) -> None:
        running = shard.running()
        self._roster.remove(shard)
        started = [] if shard.blameless else [run.receipt for run in running]
        self._dead.append((shard, started))
        self._rota.attempt(self._reap_dead)
        events.emit(
            events.ShardExited(
                shard=shard.name, pid=shard.pid, cause=cause, running=tuple(run.task_id for run in running)
            )
        )
        self._consider_failure(shard)
        self._nursery.retire_idle(self._roster)

    def _reap_dead(self) -> None:
        """Give back what dead shards held. While the broker is away they wait here, with their verdicts."""
        while self._dead:
            shard, started = self._dead[0]
            if shard.consumer and self._store is not None:
                reap_consumer(
                    self._store,
                    shard.consumer,
                    started=list(started),
                    verdicts=shard.verdicts,
                    crash_limit=self._facts.crash_limit,
                )
            shard.forget()
            self._dead.pop(0)

    def _consider_failure(self, shard: Shard) -> None:
        if not (shard.ready or shard.leaving or shard.blameless):
            self._count_failure()

    def _count_failure(self) -> None:
        self._failures += 1
        delay = _RESTART_DELAYS[min(self._failures, len(_RESTART_DELAYS) - 1)]
        self._fork_at = time.monotonic() + delay
        if self._failures >= len(_RESTART_DELAYS) and not self._announced:
            sys.stderr.write("error: WORKER_START_FAILED: no shard could start; the reason stands above\n")
            self._exit_code = 1
            self._stop("no shard could start")

    # Limits, health, the store.

    def _enforce(self, now: float) -> None:
        for shard in self._roster:
            if hard_limits.enforce_time(shard, now, self._facts.grace):
                continue
            if hard_limits.due_to_die(shard, now):
                shard.kill(shard.cause)
            elif self._wedged(shard, now):
                shard.kill("its consumer did not turn any more")
        if self._deadline is not None and now >= self._deadline:
            self._release_all()

    def _wedged(self, shard: Shard, now: float) -> bool:
        table = shard.table
        if table is None or not shard.ready or shard.running():
            return False
        return now - max(table.heartbeat, shard.asked_at) > _WEDGED_AFTER

    def _check_memory(self) -> None:
        limit = self._facts.max_memory
        if not limit:
            return
        for shard in self._roster:
            used = hard_limits.resident(shard.pid) if shard.pid else 0
            if used > limit * hard_limits.MEMORY_KILL_FACTOR and shard.condemned_until is None:
                hard_limits.memory_verdicts(shard)
                hard_limits.condemn(shard, "memory limit", time.monotonic(), self._facts.grace)
            elif used > limit and not shard.leaving:
                shard.drain("memory limit")

    def _recover(self) -> None:
        self._reap_dead()
        if self._store is not None:
            recover(self._store, crash_limit=self._facts.crash_limit)

    def _renew(self) -> None:
        consumers = {shard.consumer: shard for shard in self._roster if shard.consumer}
        if self._store is None or not consumers:
            return
        unknown = set(self._store.renew(list(consumers), lease=self._facts.lease))
        for consumer in unknown & self._unknown:
            self._replace_unknown(consumers[consumer])
        self._unknown = unknown

    def _replace_unknown(self, shard: Shard) -> None:
        """End a shard that was declared dead: what it held is others' now, and it can claim nothing more.

        It was unknown at two renewals, so it is not one that is just registering again.
        """
        if not shard.leaving:
            shard.kill("it was declared dead")

    def _report_health(self) -> None:
        if self._health is not None:
            self._health.report(self._roster, stopping=bool(self._stopping), announced=self._announced)

    # Stopping.

    def _watch_signals(self) -> None:
        reader, writer = os.pipe()
        self._signal_reader = reader
        for descriptor in (reader, writer):
            os.set_blocking(descriptor, False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._selector.register(reader, selectors.EVENT_READ, None)

    def _signals(self) -> list[int]:
        try:
            return list(os.read(self._signal_reader, 4096))
        except BlockingIOError:
            return []

    def _on_signals(self) -> None:
        for number in self._signals():
            if number == signal.SIGHUP:
                self._reload_wanted = True
            elif number == signal.SIGQUIT or self._stopping:
                self._stop("SIGQUIT")
                self._release_all()
            else:
                self._stop(signal.Signals(number).name)

    def _stop(self, cause: str) -> None:
        if self._stopping:
            return
        self._stopping = cause
        self._deadline = time.monotonic() + self._facts.drain_timeout
        events.emit(events.WorkerDraining(worker=self._options.node(), cause=cause))
        self._rota.attempt(self._report_health)
        for shard in self._roster:
            shard.drain(cause)

    def _release_all(self) -> None:
        """Let every shard settle and release what it holds, then end it."""
        self._deadline = time.monotonic() + hard_limits.SETTLE_TIME
        for shard in self._roster:
            if shard.blameless:
                shard.signal(signal.SIGKILL)
            shard.spare()
            shard.signal(signal.SIGQUIT)

    def _close(self) -> None:
        for shard in self._roster:
            shard.kill("the worker ended")
        self._nursery.close()
        if self._health is not None:
            self._health.close()
        if self._store is not None:
            self._rota.attempt(self._recover)
            self._store.close()


def _words(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"it exited with code {code}"


def _ignore(_value: object) -> None:
    """Drop a value that nobody asked for."""
