"""Time limits: soft ones inside the body, hard ones from outside."""

import time

from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded


def test_a_soft_limit_interrupts_a_blocking_call_in_the_main_thread(mill):
    mill.start("--processes", "1", "--threads", "1")
    sent = mill.send("stop_softly", "main", 8, soft_time_limit=0.5)
    assert 0.4 < mill.result(sent) < 3


def test_a_soft_limit_reaches_a_body_in_a_thread_when_its_call_returns(mill):
    mill.start("--processes", "1", "--threads", "2")
    sent = mill.send("stop_softly", "thread", 1.5, soft_time_limit=0.3)
    assert mill.result(sent) >= 1.4
    after = [mill.send("grind", f"{number}", 0.05) for number in range(20)]
    assert all(isinstance(mill.result(sent), int) for sent in after)


def test_a_soft_limit_that_is_not_caught_fails_the_task(mill):
    mill.start("--processes", "1", "--threads", "1")
    assert isinstance(mill.result(mill.send("grind", "slow", 8, soft_time_limit=0.3)), SoftTimeLimitExceeded)
    mill.settled()
    assert [letter.reason for letter in mill.dead()] == ["time_limit"]


def test_a_hard_limit_ends_a_body_that_holds_the_interpreter_lock(mill):
    worker = mill.start("--processes", "2", "--threads", "1")
    sent = mill.send("jam", "jam", time_limit=1, soft_time_limit=0.5)
    started = mill.started("jam")
    error = mill.result(sent, within=8)
    assert isinstance(error, TimeLimitExceeded)
    assert time.monotonic() - started.at < 6
    mill.settled()
    assert [(letter.reason, letter.crashes) for letter in mill.dead()] == [("time_limit", 0)]
    assert mill.labels() == ["jam"]
    assert started.pid not in {shard.pid for shard in worker.shards}


def test_neighbours_of_a_body_that_holds_the_interpreter_lock_do_not_wait_out_their_grace(mill):
    worker = mill.start("--processes", "1", "--threads", "2", "--grace", "60s")
    neighbour = mill.send("grind", "neighbour", 0.5)
    mill.started("neighbour")
    sent = mill.send("hog", "hog", 60, time_limit=0.7)
    assert isinstance(mill.result(sent, within=15), TimeLimitExceeded)
    assert isinstance(mill.result(neighbour), int)
    mill.settled()
    assert [letter.reason for letter in mill.dead()] == ["time_limit"]
    assert "task.isolated" not in worker.log


def test_neighbours_of_a_body_past_its_limit_get_their_grace(mill):
    mill.start("--processes", "1", "--threads", "3", "--grace", "6s")
    neighbour = mill.send("grind", "neighbour", 2)
    mill.started("neighbour")
    late = mill.send("grind", "late", 60, time_limit=0.5)
    mill.started("late")
    assert isinstance(mill.result(late), TimeLimitExceeded)
    assert isinstance(mill.result(neighbour), int)
    mill.settled()
    assert mill.labels("end") == ["neighbour"]
    assert mill.labels() == ["neighbour", "late"]


def test_neighbours_beyond_their_grace_run_again_without_blame(mill):
    mill.start("--processes", "1", "--threads", "2", "--grace", "0.5s")
    neighbour = mill.send("grind", "neighbour", 2.5)
    mill.started("neighbour")
    late = mill.send("grind", "late", 60, time_limit=0.5)
    assert isinstance(mill.result(late), TimeLimitExceeded)
    assert isinstance(mill.result(neighbour), int)
    mill.settled()
    assert mill.labels().count("neighbour") == 2
    assert "task.isolated" not in mill.workers[0].log
    assert len(mill.dead()) == 1


def test_what_waits_behind_a_condemned_shard_starts_at_once_elsewhere(mill):
    mill.start("--processes", "1", "--threads", "1", "--grace", "20s")
    late = mill.send("jam", "late", time_limit=1.5)
    mill.started("late")
    waiting = [mill.send("grind", f"{number}") for number in range(10)]
    for sent in waiting:
        assert isinstance(mill.result(sent, within=10), int)
    assert isinstance(mill.result(late), TimeLimitExceeded)
    assert [letter.reason for letter in mill.dead()] == ["time_limit"]


def test_a_task_that_came_later_has_its_hard_limit_too(mill):
    mill.start("--processes", "1", "--threads", "1")
    sent = mill.send("jam", "jam", countdown=0.3, time_limit=1, soft_time_limit=0.5)
    assert isinstance(mill.result(sent), TimeLimitExceeded)
    mill.settled()
    assert mill.labels() == ["jam"]
