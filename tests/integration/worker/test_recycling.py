"""Shards that are replaced while work goes on: after enough tasks, above enough memory, for new code."""

import signal
import time
from collections import Counter

RELOADED = """
import os
from pathlib import Path
from umbel import Umbel

STORE = f"sqlite:///{os.environ['MILL']}/mill.db"
app = Umbel("reloaded", broker=STORE, backend=STORE)

@app.task(name="mill.version")
def version():
    return VERSION
"""


def test_an_explicit_number_of_tasks_per_shard_is_exact_and_nothing_is_lost(mill):
    mill.start("--processes", "1", "--threads", "1", "--max-tasks-per-shard", "7")
    for number in range(30):
        mill.send("grind", f"{number}")
    mill.settled()
    assert sorted(mill.labels("end"), key=int) == [str(number) for number in range(30)]
    shares = Counter(effect.pid for effect in mill.effects("end"))
    assert sorted(shares.values()) == [2, 7, 7, 7, 7]


def test_recycling_under_load_loses_and_repeats_nothing(mill):
    worker = mill.start("--processes", "2", "--threads", "3", "--max-tasks-per-shard", "25")
    for number in range(300):
        mill.send("grind", f"{number}", 0.005)
    mill.settled()
    assert sorted(mill.labels("end"), key=int) == [str(number) for number in range(300)]
    assert max(Counter(effect.pid for effect in mill.effects("end")).values()) == 25
    assert mill.dead() == []
    assert worker.process.poll() is None


def test_a_shard_above_its_memory_is_drained_and_replaced(mill):
    worker = mill.start("--processes", "1", "--threads", "1", "--max-memory-per-shard", "100 MiB")
    (before,) = worker.shards
    assert mill.result(mill.send("eat", "big", 110)) == before.pid
    mill.until(lambda: not before.is_running(), claim="the shard was replaced")
    assert mill.result(mill.send("grind", "after")) != before.pid
    assert mill.dead() == []
    assert "memory limit" in worker.log


def test_a_body_far_above_the_memory_of_its_shard_is_killed_and_buried(mill):
    mill.start("--processes", "1", "--threads", "1", "--max-memory-per-shard", "100 MiB")
    error = mill.result(mill.send("eat", "huge", 300, 60))
    assert "memory limit" in str(error)
    mill.settled()
    assert [(letter.reason, letter.error["error_code"]) for letter in mill.dead()] == [
        ("memory_limit", "TASK_MEMORY_LIMIT")
    ]
    assert mill.labels() == ["huge"]


def write_version(mill, version, *more):
    code = "\n".join([RELOADED.replace("VERSION", repr(version)), *more])
    (mill.folder / "reloaded.py").write_text(code)


def test_a_hangup_rolls_to_new_code_under_load_and_loses_nothing(mill, runs):
    write_version(mill, "old")
    worker = mill.start("--processes", "2", "--threads", "2", app="reloaded:app", PYTHONDONTWRITEBYTECODE="1")
    old_shards = worker.shards
    sent = []
    write_version(mill, "new")
    worker.send(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while not sent or "new" not in [result.result for result in sent[-20:] if result.ready()]:
        sent.append(mill.send("version"))
        assert time.monotonic() < deadline, worker.log
    versions = [mill.result(result) for result in sent]
    assert set(versions) <= {"old", "new"}
    mill.until(lambda: not any(map(runs, old_shards)), claim="the old shards are gone")
    assert [mill.result(mill.send("version")) for _ in range(10)] == ["new"] * 10
    mill.until(lambda: len(worker.zygotes) == 1, claim="the old zygote is gone")
    assert len(worker.shards) == 2
    assert mill.dead() == []


def test_a_hangup_with_broken_code_keeps_the_old_code(mill):
    write_version(mill, "old")
    worker = mill.start("--processes", "1", app="reloaded:app", PYTHONDONTWRITEBYTECODE="1")
    (shard,) = worker.shards
    for broken, said in (("def broken(:", "SyntaxError"), ("os._exit(7)", "ended before it was done")):
        write_version(mill, "new", broken)
        worker.send(signal.SIGHUP)
        mill.until(lambda said=said: said in worker.log, claim=f"the worker says {said}")
        assert mill.result(mill.send("version")) == "old"
    assert "the old code goes on" in worker.log
    mill.until(lambda: len(worker.zygotes) == 1, claim="the failed zygote is gone")
    assert worker.shards == [shard]
    write_version(mill, "newest")
    worker.send(signal.SIGHUP)
    mill.until(lambda: mill.result(mill.send("version")) == "newest", claim="mended code is loaded")


def test_a_zygote_that_was_killed_is_replaced_with_its_shards(mill, runs):
    worker = mill.start("--processes", "2", "--threads", "1")
    (zygote,) = worker.zygotes
    before = worker.shards
    mill.send("grind", "running", 1.0)
    mill.started("running")
    zygote.kill()
    mill.settled()
    assert mill.labels("end") == ["running"]
    assert not any(map(runs, before))
    mill.until(lambda: len(worker.shards) == 2, claim="two shards run again")
