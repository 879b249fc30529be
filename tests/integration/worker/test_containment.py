"""What a body can do to its process, and that nobody else suffers from it."""

import contextlib
import json
import os
import signal

import psutil
import pytest

from umbel.message import Envelope


def defunct_below(worker):
    return [process for process in worker.everyone() if process.status() == psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(("culprit", "threads", "countdown"), [("crash", 2, 0), ("leave", 1, 0.3)])
def test_a_body_that_ends_its_process_is_poison_and_its_neighbours_finish_once(mill, culprit, threads, countdown):
    worker = mill.start("--processes", "2", "--threads", str(threads))
    neighbours = [mill.send("grind", f"neighbour{number}", 0.7) for number in range(2 * threads - 1)]
    for number in range(2 * threads - 1):
        mill.started(f"neighbour{number}")
    error = mill.result(mill.send(culprit, "culprit", countdown=countdown))
    assert "died 3 times while the task ran alone" in str(error)
    for neighbour in neighbours:
        assert isinstance(mill.result(neighbour), int)
    mill.settled()
    assert [(letter.envelope.task, letter.reason, letter.crashes) for letter in mill.dead()] == [
        (f"mill.{culprit}", "poison", 3)
    ]
    assert sorted(mill.labels("end")) == sorted(f"neighbour{number}" for number in range(2 * threads - 1))
    assert isinstance(mill.result(mill.send("grind", "after")), int)
    assert defunct_below(worker) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_no_exception_fails_the_task_and_spares_the_process(mill, threads):
    worker = mill.start("--processes", "1", "--threads", str(threads))
    (shard,) = worker.shards
    kinds = ["SystemExit", "KeyboardInterrupt", "MemoryError", "Flood", "RecursionError"] * 2
    errors = [mill.result(sent) for sent in [mill.send("throw", kind) for kind in kinds]]
    for kind, error in zip(kinds, errors, strict=True):
        assert isinstance(error, Exception), f"{kind}: {error!r} would end who asks for the result"
        assert "on purpose" in str(error)
    mill.settled()
    assert {letter.reason for letter in mill.dead()} == {"failed"}
    assert len(mill.dead()) == len(kinds)
    assert {letter.error["error_code"] for letter in mill.dead()} == {
        "TASK_EXITED",
        "TASK_OUT_OF_MEMORY",
        "RecursionError",
    }
    assert mill.result(mill.send("grind", "after")) == shard.pid


@pytest.mark.parametrize("threads", [1, 2])
def test_a_delivery_whose_end_fails_costs_no_slot_and_is_not_lost(mill, threads):
    worker = mill.start("--processes", "1", "--threads", str(threads))
    (shard,) = worker.shards
    for number in range(threads):
        mill.send("stumble", f"stumbling{number}")
    for number in range(threads):
        mill.until(lambda number=number: mill.labels().count(f"stumbling{number}") >= 2, claim="it is delivered again")
    assert mill.result(mill.send("grind", "after")) == shard.pid


@pytest.mark.parametrize("threads", [1, 2])
def test_a_body_of_json_that_is_too_deep_costs_no_slot_and_is_a_dead_letter(mill, threads):
    deep = b"[[" + b"[" * 5_000 + b"]" * 5_000 + b"],{},{}]"
    worker = mill.start("--processes", "1", "--threads", str(threads))
    (shard,) = worker.shards
    head = json.dumps(
        {
            "headers": {"task": "mill.grind", "id": "deep"},
            "properties": {"delivery_info": {}},
            "content-type": "application/json",
            "content-encoding": "utf-8",
        }
    ).encode()
    mill.store.publish("celery", [Envelope(task_id="deep", task="mill.grind", head=head, body=deep)] * threads)
    assert mill.result(mill.send("grind", "after")) == shard.pid
    mill.settled()
    assert [letter.reason for letter in mill.dead()] == ["undecodable"] * threads


def test_a_child_that_a_body_leaves_behind_keeps_nothing_alive(mill):
    worker = mill.start("--processes", "1", "--threads", "1")
    child = mill.result(mill.send("spawn", 60))
    try:
        (zygote,) = worker.zygotes
        (shard,) = worker.shards
        shard.kill()
        mill.result(mill.send("grind", "after the shard"))
        assert defunct_below(worker) == []
        zygote.kill()
        mill.result(mill.send("grind", "after the zygote"))
        assert defunct_below(worker) == []
        worker.send(signal.SIGTERM)
        assert worker.wait() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
