"""Who consumes, whether it lives, and what runs."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from umbel.clock import SystemClock, to_datetime
from umbel.control.workers import list_workers
from umbel.transports.registry import open_store
from umbel.transports.runtable import RunTable, ShardState


@pytest.fixture
def table(tmp_path):
    made = RunTable.create(tmp_path / "shard.run", slots=2)
    yield made
    made.remove()


def test_a_worker_is_listed_with_its_lease_and_claims(store, envelope, clock):
    started = clock.now()
    consumer = store.register("celery-1@here", lease=15)
    store.publish("celery", [envelope(), envelope(), envelope()])
    store.claim("celery", consumer, 2)
    (worker,) = list_workers(store, clock=clock)
    assert (worker.id, worker.name, worker.pid, worker.alive) == (consumer, "celery-1@here", os.getpid(), True)
    assert worker.claims == 2
    assert worker.started_at == to_datetime(started)
    assert worker.lease_until - worker.started_at == timedelta(seconds=15)
    assert (worker.state, worker.executed, worker.running) == (None, None, ())


def test_a_shards_running_bodies_come_from_its_run_table(tmp_path, envelope, table):
    store = open_store(f"sqlite:///{tmp_path}/real-time.db")
    consumer = store.register("celery-1@here", lease=15, run_table=str(table.path))
    store.publish("bulk", [envelope("shop.ship", task_id="t1")])
    (claim,) = store.claim("bulk", consumer, 1).claims
    table.introduce(os.getpid(), consumer)
    table.state = ShardState.READY
    table.beat(41)
    table.start(0, claim.receipt, "t1", 0.0, time.monotonic() + 60)
    table.start(1, "other", "settled-already", 0.0, 0.0)
    (worker,) = list_workers(store, clock=SystemClock())
    store.close()
    assert (worker.state, worker.executed) == ("ready", 41)
    first, second = worker.running
    assert (first.task_id, first.task, first.queue, first.worker) == ("t1", "shop.ship", "bulk", "celery-1@here")
    assert abs(first.started_at - datetime.now(UTC)) < timedelta(seconds=5)
    assert first.must_end_by is not None
    assert timedelta(seconds=50) < first.must_end_by - datetime.now(UTC) <= timedelta(seconds=60)
    assert (second.task_id, second.task, second.must_end_by) == ("settled-already", None, None)


def test_a_run_table_that_another_shard_has_taken_over_is_not_believed(store, clock, table):
    store.register("celery-1@here", lease=15, run_table=str(table.path))
    table.introduce(os.getpid(), "somebody-else")
    table.start(0, "r", "t1", 0.0, 0.0)
    (worker,) = list_workers(store, clock=clock)
    assert (worker.state, worker.running) == (None, ())


def test_a_worker_of_another_host_is_dead_when_its_lease_has_run_out(tmp_path, clock):
    url = f"sqlite:///{tmp_path}/shared.db"
    far = open_store(url, clock=clock, options={"host": "elsewhere"})
    far.register("celery-1@elsewhere", lease=15)
    near = open_store(url, clock=clock, options={"host": "here"})
    assert [worker.alive for worker in list_workers(near, clock=clock)] == [True]
    clock.advance(16)
    assert [worker.alive for worker in list_workers(near, clock=clock)] == [False]
    far.close()
    near.close()
