"""One shard: a complete Celery worker node in its own process, forked from the zygote.

Its consumer runs in a thread, so that claims, settlements, ping and revoke go on whatever the bodies
do. Bodies run in the slots: in the main thread when there is one slot, in threads otherwise.

Signals (only the C-level handler is needed: it writes to a descriptor that the consumer watches):
SIGTERM drains (give back what waits, finish what runs, settle, exit), SIGQUIT releases all at once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import signals as celery_signals
from celery.platforms import EX_FAILURE
from celery.worker import state as celery_state

from umbel.execution.settle import batch_results
from umbel.observability import log_events
from umbel.transports.channel import Channel
from umbel.transports.runtable import RunTable, ShardState
from umbel.worker.controller import ShardConsumer, ShardController, ShardStep
from umbel.worker.lifeline import die_with_parent
from umbel.worker.prefetch import Prefetch
from umbel.worker.revocations import Revocations
from umbel.worker.slots import SlotPool

if TYPE_CHECKING:
    from celery import Celery
    from kombu.asynchronous import Hub

    from umbel.worker.wire import Wire

__all__ = ["Shard", "ShardSpec", "run_shard"]

_SOFT_LIMIT_CHECK = 0.1
_HEARTBEAT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSpec:
    """What the supervisor wants of one shard. Durations are seconds.

    ``max_tasks`` replaces the shard after so many tasks, but not before it is ``min_age`` old.
    ``siblings`` is how many shards share the worker's limits, ``revoked`` the file of what they were told
    to revoke.
    """

    name: str
    table: str
    revoked: str
    threads: int
    queues: tuple[str, ...]
    loglevel: str
    max_tasks: int | None
    min_age: float
    prefetch_target: float
    siblings: int


class Shard:
    """The life of one shard process."""

    def __init__(self, app: Celery, spec: ShardSpec, wire: Wire) -> None:
        self.siblings = spec.siblings
        self._app = app
        self._spec = spec
        self._wire = wire
        self._born = time.monotonic()
        self._table = RunTable.create(Path(spec.table), spec.threads)
        self._nudges = _Nudges()
        self._signals = _Signals()
        self._prefetch = Prefetch(
            spec.threads,
            target=spec.prefetch_target,
            max_tasks=spec.max_tasks if not spec.min_age else None,
            nudge=self._nudges.nudge,
        )
        self._channel: Channel | None = None
        self._draining = False
        self._controller: ShardController | None = None

    def run(self) -> int:
        """Run until drained; return the exit code."""
        log_events()
        self._table.introduce(os.getpid(), "")
        Revocations(Path(self._spec.revoked)).follow()
        self._controller = self._build()
        pool: SlotPool = self._controller.pool
        pool.furnish(self._table, self._prefetch)
        celery_signals.worker_process_init.send(sender=self._spec.name)
        consumer = threading.Thread(target=self._consume, name="umbel-consumer", daemon=True)
        consumer.start()
        self._serve(pool)
        consumer.join()
        self._settle()  # what ended after the consumer did
        celery_signals.worker_process_shutdown.send(sender=self._spec.name, pid=os.getpid(), exitcode=0)
        return EX_FAILURE if self._controller.exitcode == EX_FAILURE else 0

    def ready(self) -> None:
        """Tell the supervisor that this shard consumes."""
        self._table.state = ShardState.READY
        self._wire.send("shard_ready", pid=os.getpid())

    def connect(self, consumer: ShardConsumer, channel: Any) -> None:  # noqa: ANN401 - a foreign broker's channel has no common type
        """Take over the task channel; a foreign broker's channel keeps its own prefetch."""
        if not isinstance(channel, Channel):
            return
        self._channel = channel
        batch_results(channel, self._app.backend)
        consumer.pool.express = consumer.express(channel)
        self._prefetch.attach(channel)
        self._table.introduce(os.getpid(), channel.consumer)

    def watch(self, hub: Hub) -> None:
        """Join the consumer's event loop."""
        hub.add_reader(self._nudges.fileno(), self._nudges.clear)
        hub.add_reader(self._signals.fileno(), self._on_signals)
        hub.on_tick.add(self._turn)
        hub.call_repeatedly(_SOFT_LIMIT_CHECK, self._check_soft_limits)
        hub.call_repeatedly(_HEARTBEAT, self._beat)
        if self._spec.max_tasks and self._spec.min_age:
            age = self._spec.min_age * random.uniform(1.0, 1.2) - (time.monotonic() - self._born)  # noqa: S311 - spread
            hub.call_later(max(0.0, age), self._limit_tasks)

    def _build(self) -> ShardController:
        spec = self._spec
        self._app.steps["consumer"].add(ShardStep)
        self._app.conf.broker_transport_options = {
            **self._app.conf.broker_transport_options,
            "consumer_name": spec.name,
            "run_table": spec.table,
            "keeper": False,
        }
        return ShardController(
            shard=self,
            app=self._app,
            hostname=spec.name,
            pool=SlotPool,
            consumer_cls=ShardConsumer,
            concurrency=spec.threads,
            queues=list(spec.queues) or None,
            loglevel=spec.loglevel,
            prefetch_multiplier=0,
            without_mingle=True,
            without_gossip=True,
        )

    def _consume(self) -> None:
        controller = self._controller
        if controller is None:
            return
        try:
            controller.start()
        finally:
            if not self._draining:
                self._wire.send("broke" if controller.exitcode == EX_FAILURE else "shutdown", pid=os.getpid())
            self._prefetch.close()

    def _serve(self, pool: SlotPool) -> None:
        first, *others = pool.slots
        if not others:
            pool.serve(first)
            return
        threads = [
            threading.Thread(target=pool.serve, args=(slot,), name=f"umbel-slot-{slot.number}", daemon=True)
            for slot in pool.slots
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # In the consumer's thread, on the event loop.

    def _on_signals(self) -> None:
        for number in self._signals.pending():
            if number == signal.SIGTERM:
                self._drain()
            elif number == signal.SIGQUIT:
                self._release_everything()

    def _turn(self) -> None:
        self._prefetch.tend()
        self._beat()
        if not self._draining and self._prefetch.exhausted:
            self._wire.send("retiring", pid=os.getpid())
            self._drain()
        if self._draining:
            self._leave_when_idle()

    def _beat(self) -> None:
        controller = self._controller
        self._table.beat(controller.pool.executed if controller else 0)

    def _check_soft_limits(self) -> None:
        now = time.monotonic()
        controller = self._controller
        if controller is None:
            return
        pool: SlotPool = controller.pool
        for slot in pool.slots:
            slot.limit.check(now)
        if pool.express is not None:
            pool.express.tend(pool.slots, now)

    def _limit_tasks(self) -> None:
        controller = self._controller
        executed = controller.pool.executed if controller else 0
        self._prefetch.limit_tasks(max(0, (self._spec.max_tasks or 0) - executed))

    def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        self._table.state = ShardState.DRAINING
        self._prefetch.drain()
        self._settle()
        self._wire.send("gave_back", pid=os.getpid())

    def _leave_when_idle(self) -> None:
        if not self._prefetch.running:
            self._settle()
            self._table.state = ShardState.DRAINED
            celery_state.should_stop = 0

    def _release_everything(self) -> None:
        self._draining = True
        self._prefetch.drain()
        if self._channel is not None:
            self._settle()
            self._channel.store.retire(self._channel.consumer)
        _exit(0)

    def _settle(self) -> None:
        if self._channel is not None:
            self._channel.settle()


class _Nudges:
    """How slots call the consumer's thread: a counter that the kernel keeps."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        return self._reader

    def nudge(self) -> None:
        try:
            os.write(self._writer, b"\0")
        except BlockingIOError:
            return

    def clear(self) -> None:
        try:
            os.read(self._reader, 4096)
        except BlockingIOError:
            return


class _Signals:
    """The signals that arrived, readable from the consumer's thread even while a body hogs the main one."""

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1):
            signal.signal(number, _ignore)
        for number in (signal.SIGTERM, signal.SIGQUIT):
            signal.siginterrupt(number, False)  # noqa: FBT003 - a C library's call in a body goes on
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def fileno(self) -> int:
        return self._reader

    def pending(self) -> list[int]:
        try:
            return list(os.read(self._reader, 4096))
        except BlockingIOError:
            return []


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing: the wake-up descriptor has told the consumer."""


def run_shard(app: Celery, spec: ShardSpec, wire: Wire, parent: int, close: Callable[[], None]) -> None:
    """Be a shard, in a fresh child of the zygote; never returns."""
    code = 1
    try:
        die_with_parent(parent)
        close()
        code = Shard(app, spec, wire).run()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - the process ends here; say why
        sys.excepthook(*sys.exc_info())
    finally:
        _exit(code)


def _exit(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(code)
