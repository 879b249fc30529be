"""Plain Celery workers with each pool run on the SQLite transport."""

from __future__ import annotations

import time

import pytest

POOLS = ["solo", "threads", "prefork"]


def words(lines):
    return [line[0] for line in lines]


@pytest.mark.parametrize("pool", POOLS)
def test_every_task_runs_once_and_control_commands_are_answered(pool, plain, start_worker, effects, eventually):
    worker = start_worker("-c", "2", pool=pool)
    for number in range(200):
        plain.record.delay(f"task-{number}")
    eventually(lambda: len(effects()) >= 200, claim="all tasks have run")
    inspect = plain.app.control.inspect(timeout=5, destination=[worker.name])

    assert inspect.ping() == {worker.name: {"ok": "pong"}}
    assert inspect.stats()[worker.name]["total"] == {"plainapp.record": 200}
    assert inspect.active() == {worker.name: []}
    assert sorted(words(effects())) == sorted(f"task-{number}" for number in range(200))
    assert worker.stop() == 0
    assert "Traceback" not in worker.text
    assert store_of(plain).size("celery") == 0


@pytest.mark.parametrize("pool", POOLS)
def test_a_warm_shutdown_finishes_what_runs_and_leaves_the_rest_to_others(
    pool, plain, start_worker, effects, eventually
):
    worker = start_worker("-c", "1", "--prefetch-multiplier", "4", pool=pool)
    for number in range(3):
        plain.hold.delay(f"task-{number}", 1.0)
    eventually(lambda: len(effects()) >= 1, claim="the first task runs")
    assert worker.stop() == 0
    ended = [word for word in words(effects()) if word.endswith("-ended")]
    store = store_of(plain)

    assert "task-0-ended" in ended
    assert store.size("celery") == 3 - len(ended), "what has ended is acked, what has not is waiting"
    assert [info.pid for info in store.consumers()] == []

    start_worker("-c", "2", name="w2", pool=pool)
    eventually(lambda: sum(word.endswith("-ended") for word in words(effects())) == 3, claim="all have ended")
    assert len(words(effects())) == 6, "nothing ran twice"


def test_with_the_prefork_pool_children_publish_too(plain, start_worker, effects, eventually):
    start_worker("-c", "2", pool="prefork")
    for batch in range(4):
        plain.publish_more.delay([f"{batch}-{number}" for number in range(10)])
    eventually(lambda: len(effects()) == 40, claim="the children's tasks have run")


def test_a_solo_worker_answers_between_tasks_and_keeps_its_mailbox_during_a_long_one(
    plain, start_worker, effects, eventually
):
    worker = start_worker()
    plain.hold.delay("long", 2.0)
    eventually(effects, claim="it runs")
    started = time.monotonic()
    assert plain.app.control.inspect(timeout=10, destination=[worker.name]).ping() == {worker.name: {"ok": "pong"}}
    assert time.monotonic() - started < 5


def store_of(plain):
    with plain.app.connection_for_read() as connection:
        return connection.default_channel.store
