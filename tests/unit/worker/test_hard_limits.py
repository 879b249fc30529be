"""Who dies, when, and with which verdict. The shard is a process that sleeps; its table is a real one."""

import os
import signal
import subprocess
import time

import pytest

from umbel.outcomes import Verdict
from umbel.transports.runtable import RunTable
from umbel.worker import hard_limits
from umbel.worker.roster import Shard


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def table(tmp_path):
    made = RunTable.create(tmp_path / "1.run", 3)
    made.beat(0)
    yield made
    made.remove()


@pytest.fixture
def shard(table, sleeper):
    return Shard(1, "w-1@test", table.path, zygote=os.getpid(), asked_at=time.monotonic(), pid=sleeper.pid, ready=True)


def test_a_body_within_its_limit_is_left_alone(shard, table):
    now = time.monotonic()
    table.start(0, "r0", "t0", 0.0, now + 10)
    table.start(1, "r1", "t1", 0.0, 0.0)
    assert not hard_limits.enforce_time(shard, now, grace=5)
    assert not hard_limits.due_to_die(shard, now + 1_000)
    assert shard.verdicts == {}


def test_a_body_past_its_limit_gets_the_verdict_and_its_shard_is_told_to_drain(shard, table, sleeper):
    now = time.monotonic()
    table.start(0, "late", "t0", 0.0, now - 0.1)
    assert hard_limits.enforce_time(shard, now, grace=5)
    assert shard.verdicts == {"late": Verdict.TIME_LIMIT}
    assert sleeper.wait(5) == -signal.SIGTERM
    assert hard_limits.due_to_die(shard, now + hard_limits.SETTLE_TIME)


def test_neighbours_get_their_grace_and_no_more(shard, table):
    now = time.monotonic()
    table.start(0, "late", "t0", 0.0, now - 0.1)
    table.start(1, "neighbour", "t1", 0.0, now + 100)
    hard_limits.enforce_time(shard, now, grace=2)
    assert not hard_limits.due_to_die(shard, now + 1.9)
    assert hard_limits.due_to_die(shard, now + 2.1)
    assert shard.verdicts == {"late": Verdict.TIME_LIMIT}


def test_once_the_neighbours_have_ended_nobody_waits_for_the_rest_of_the_grace(shard, table):
    now = time.monotonic()
    table.start(0, "late", "t0", 0.0, now - 0.1)
    table.start(1, "neighbour", "t1", 0.0, 0.0)
    hard_limits.enforce_time(shard, now, grace=2)
    table.finish(1)
    assert not hard_limits.due_to_die(shard, now + 1)
    assert hard_limits.due_to_die(shard, now + 2 - hard_limits.SETTLE_TIME)


def test_a_shard_that_hangs_has_no_use_for_its_grace(shard, table):
    now = time.monotonic()
    table.start(0, "late", "t0", 0.0, now - 0.1)
    table.start(1, "neighbour", "t1", 0.0, 0.0)
    hard_limits.enforce_time(shard, now, grace=60)
    assert not hard_limits.due_to_die(shard, now + hard_limits.HANGS_AFTER - 0.5)
    assert hard_limits.due_to_die(shard, now + hard_limits.HANGS_AFTER + 0.5)


def test_a_second_body_past_its_limit_gets_its_verdict_too_and_no_more_time(shard, table):
    now = time.monotonic()
    table.start(0, "first", "t0", 0.0, now - 0.1)
    table.start(1, "second", "t1", 0.0, now + 1)
    hard_limits.enforce_time(shard, now, grace=5)
    assert not hard_limits.enforce_time(shard, now + 0.5, grace=5)
    assert hard_limits.enforce_time(shard, now + 1, grace=5)
    assert set(shard.verdicts) == {"first", "second"}
    assert hard_limits.due_to_die(shard, now + 1 + hard_limits.SETTLE_TIME)


@pytest.mark.parametrize(("running", "blamed"), [(0, set()), (1, {"r0"}), (2, set())])
def test_memory_is_blamed_on_a_body_only_when_it_ran_alone(shard, table, running, blamed):
    for slot in range(running):
        table.start(slot, f"r{slot}", f"t{slot}", 0.0, 0.0)
    hard_limits.memory_verdicts(shard)
    assert set(shard.verdicts) == blamed


def test_private_memory_is_measured_and_a_process_that_is_gone_has_none(sleeper):
    assert 10_000 < hard_limits.resident(sleeper.pid) < 50 << 20
    sleeper.kill()
    sleeper.wait()
    assert hard_limits.resident(sleeper.pid) == 0
