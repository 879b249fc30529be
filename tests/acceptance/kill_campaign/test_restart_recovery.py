"""How soon what has died runs again."""

from __future__ import annotations

import signal
import statistics
import sys
import time

import pytest
from tests.acceptance.kill_campaign.processes import gone, send, wait_until

from umbel.transports.registry import open_store

ROUNDS = 8
SEED = 1


@pytest.fixture
def mill(make_mill):
    return make_mill(seed=SEED)


@pytest.fixture
def say(capsys):
    """Print past pytest: what was measured is worth seeing in a run that passes, too."""

    def words(text):
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return words


def measured(delays):
    ordered = sorted(delays)
    return f"{statistics.median(ordered):.3f} s (median), {ordered[-1]:.3f} s (longest) of {len(ordered)}"


def running(mill, ids):
    """Return the last starts of these tasks, when each runs now in a process that lives."""
    ledger = mill.ledger.read()
    last = [ledger.starts_of(task_id)[-1] for task_id in ids if ledger.starts_of(task_id)]
    alive = [entry for entry in last if entry in ledger.running(entry.pid) and not gone(entry.pid)]
    return alive if len(alive) == len(ids) else []


def await_running(mill, ids):
    wait_until(lambda: running(mill, ids), 20, lambda: f"{ids} run:\n{mill.worker.log_tail()}")
    return running(mill, ids)


def await_again(mill, task_id, at):
    """Wait until the task has started after this moment; return the start."""

    def later():
        return [start for start in mill.ledger.read().starts_of(task_id) if start.at > at]

    wait_until(later, 20, lambda: f"{task_id} runs again:\n{mill.worker.log_tail()}")
    return later()[0]


def let_all_end(mill):
    gate = mill.folder / "gate"
    gate.touch()
    wait_until(lambda: mill.waiting() == 0, 20, lambda: f"all end:\n{mill.worker.log_tail()}")
    gate.unlink()


def test_a_shards_tasks_run_again_within_a_second(mill, say):
    mill.start()
    delays = []
    for _ in range(ROUNDS):
        wait_until(lambda: len(mill.worker.shards()) == 2, 20, lambda: "both shards live")
        task = mill.publisher.publish_one("gated")
        victim = await_running(mill, [task])[0].pid
        killed_at = time.monotonic()
        send(victim, signal.SIGKILL)
        delays.append(await_again(mill, task, killed_at).at - killed_at)
        let_all_end(mill)
    say(f"a shard was killed: again after {measured(delays)}")
    assert statistics.median(delays) < 1.0


def test_tasks_run_again_within_a_second_when_no_other_shard_is_there_to_take_them(make_mill, say):
    mill = make_mill(seed=SEED, options=("--processes", "1", "--threads", "2"))
    mill.start()
    delays = []
    for _ in range(ROUNDS):
        task = mill.publisher.publish_one("gated")
        victim = await_running(mill, [task])[0].pid
        killed_at = time.monotonic()
        send(victim, signal.SIGKILL)
        delays.append(await_again(mill, task, killed_at).at - killed_at)
        let_all_end(mill)
    say(f"the only shard was killed: again after {measured(delays)}")
    assert statistics.median(delays) < 1.0


def test_suspects_run_again_at_once_beside_slow_neighbours_and_hold_nobody_up(mill, say):
    """Of three tasks in two shards of two threads, two are in one shard; both are suspects when it dies."""
    mill.start()
    three = [mill.publisher.publish_one("gated") for _ in range(3)]
    starts = await_running(mill, three)
    pids = [start.pid for start in starts]
    victim = max(pids, key=pids.count)
    slow = next(start for start in starts if start.pid != victim)
    suspects = [start.id for start in starts if start.pid == victim]
    killed_at = mill.checker.died(victim)
    send(victim, signal.SIGKILL)

    def again():
        starts = [mill.ledger.read().starts_of(task_id)[-1] for task_id in suspects]
        return [start for start in starts if start.at > killed_at]

    wait_until(again, 20, lambda: f"one suspect runs again:\n{mill.worker.log_tail()}")
    first = again()[0]
    say(f"a suspect runs again after {first.at - killed_at:.3f} s, although its neighbour is slow")
    assert first.at - killed_at < 2.0
    assert first.pid != slow.pid, "it runs alone"

    quick = [mill.publisher.publish_one("quick", 0.01) for _ in range(10)]
    wait_until(
        lambda: all(mill.ledger.read().ends_of(task_id) for task_id in quick), 10, lambda: "others run meanwhile"
    )
    assert len(again()) == 1, "the second suspect waits for a shard where nothing runs"

    (mill.folder / f"gate-{first.pid}").touch()
    wait_until(lambda: len(again()) == 2, 5, lambda: f"the other suspect follows:\n{mill.worker.log_tail()}")
    (mill.folder / "gate").touch()
    assert mill.finish() == []


def test_after_everything_was_killed_its_tasks_run_as_soon_as_a_worker_is_ready(mill, say):
    delays = []
    for _ in range(3):
        mill.start()
        task = mill.publisher.publish_one("gated")
        await_running(mill, [task])
        killed_at = time.monotonic()
        mill.worker.kill_all()
        ready_at = mill.start()
        delays.append(max(0.0, await_again(mill, task, killed_at).at - ready_at))
        let_all_end(mill)
        assert mill.worker.stop() == 0
    say(f"everything was killed: again {measured(delays)} after a worker was ready")
    assert statistics.median(delays) < 1.0


def test_what_a_dead_host_held_runs_again_when_its_lease_is_over_and_not_before(mill, say):
    lease = 2.0
    task = mill.publisher.publish_one("gated")
    elsewhere = open_store(f"sqlite:///{mill.folder}/mill.db", options={"host": "elsewhere"})
    consumer = elsewhere.register("celery@elsewhere", lease=lease)
    assert [claim.envelope.task_id for claim in elsewhere.claim("celery", consumer, 1).claims] == [task]
    until = time.monotonic() + lease
    elsewhere.close()
    mill.start()

    late = await_again(mill, task, 0.0).at - until
    say(f"a host died: again {late:.3f} s after its lease")
    assert -0.1 < late < 2.0
    let_all_end(mill)


def test_a_host_that_renews_its_lease_keeps_what_it_holds(mill):
    lease = 1.0
    task = mill.publisher.publish_one("gated")
    elsewhere = open_store(f"sqlite:///{mill.folder}/mill.db", options={"host": "elsewhere"})
    consumer = elsewhere.register("celery@elsewhere", lease=60.0)
    receipt = elsewhere.claim("celery", consumer, 1).claims[0].receipt
    mill.start()
    until = time.monotonic() + 3 * lease
    while time.monotonic() < until:
        assert list(elsewhere.renew([consumer], lease=lease)) == []
        time.sleep(lease / 10)
    assert mill.ledger.read().starts_of(task) == []
    assert list(elsewhere.ack([receipt])) == []
    elsewhere.close()


def test_a_shard_that_was_declared_dead_is_replaced(make_mill):
    """It may claim nothing any more; a worker that kept it would be a slot short for ever."""
    mill = make_mill(seed=SEED, environment={"UMBEL__BROKER__LEASE": "1s"})
    mill.start()
    zombie = mill.worker.shards()[0]
    mill.store.reap(zombie.consumer, started=())
    wait_until(
        lambda: gone(zombie.pid) and len(mill.worker.shards()) == 2,
        20,
        lambda: f"it is replaced:\n{mill.worker.log_tail()}",
    )
