"""The checker itself, on ledgers written by hand: what it must call a violation, and what it must not."""

from __future__ import annotations

import pytest
from tests.acceptance.kill_campaign.checker import Death, Kind
from tests.acceptance.kill_campaign.work import Job

TASK = "7f3c"


@pytest.fixture
def mill(make_mill):
    return make_mill(seed=1)


def note(mill, *lines):
    """Write ``event pid redelivered seconds`` lines about one task."""
    with mill.ledger.path.open("a") as file:
        for event, pid, redelivered, seconds in lines:
            file.write(f"{event} quick token {TASK} 0 {redelivered} {pid} {int(seconds * 1e9)}\n")


def kinds(findings):
    return [finding.kind for finding in findings]


def test_a_repeat_after_a_death_is_no_violation(mill):
    mill.checker.deaths.append(Death(10, 2.0))
    note(mill, ("start", 10, 0, 1.0), ("start", 11, 1, 3.0), ("end", 11, 1, 4.0))
    assert mill.checker.ledger_so_far() == []


def test_a_repeat_without_a_death_is_unexplained(mill):
    mill.checker.deaths.append(Death(12, 2.0))
    note(mill, ("start", 10, 0, 1.0), ("start", 11, 1, 3.0))
    assert kinds(mill.checker.ledger_so_far()) == [Kind.UNEXPLAINED]


def test_a_repeat_before_the_death_is_unexplained(mill):
    mill.checker.deaths.append(Death(10, 4.0))
    note(mill, ("start", 10, 0, 1.0), ("start", 11, 1, 3.0))
    assert kinds(mill.checker.ledger_so_far()) == [Kind.UNEXPLAINED]


def test_a_repeat_that_is_not_marked_was_published_twice(mill):
    mill.checker.deaths.append(Death(10, 2.0))
    note(mill, ("start", 10, 0, 1.0), ("start", 11, 0, 3.0))
    assert kinds(mill.checker.ledger_so_far()) == [Kind.REPEATED]


def test_a_run_by_a_process_that_was_declared_dead_is_no_violation(mill):
    mill.checker.deaths.append(Death(10, 1.0))
    note(mill, ("start", 11, 1, 2.0), ("end", 11, 1, 2.1), ("start", 10, 0, 3.0))
    assert mill.checker.ledger_so_far() == []


def test_a_line_is_judged_once(mill):
    note(mill, ("start", 10, 0, 1.0), ("start", 11, 1, 3.0))
    assert len(mill.checker.ledger_so_far()) == 1
    assert mill.checker.ledger_so_far() == []


def test_what_is_neither_waiting_nor_stored_is_lost(mill):
    assert kinds(mill.checker.while_nothing_runs([Job("token", TASK, "token")])) == [Kind.LOST]


def test_what_ended_and_is_neither_waiting_nor_stored_was_acknowledged_too_early(mill):
    note(mill, ("start", 10, 0, 1.0), ("end", 10, 0, 1.1))
    assert kinds(mill.checker.while_nothing_runs([Job("token", TASK, "token")])) == [Kind.UNSTORED]


def test_what_waits_or_is_stored_or_will_be_published_is_not_lost(mill):
    waiting = mill.publisher.publish_one("quick", 0.0)
    mill.app.backend.store_result("stored", "token", "SUCCESS")
    jobs = [Job("a", waiting, "a"), Job("b", "stored", "b"), Job("c", TASK, "c", after=(waiting,))]
    assert mill.checker.while_nothing_runs(jobs) == []


def test_what_follows_a_task_that_is_settled_must_be_there(mill):
    mill.app.backend.store_result("stored", "token", "SUCCESS")
    jobs = [Job("b", "stored", "b"), Job("c", TASK, "c", after=("stored",))]
    assert kinds(mill.checker.while_nothing_runs(jobs)) == [Kind.LOST]


def test_in_the_end_values_bodies_and_queues_are_judged(mill):
    note(mill, ("start", 10, 0, 1.0), ("end", 10, 0, 1.1))
    mill.app.backend.store_result(TASK, "right", "SUCCESS")
    assert mill.checker.at_the_end([Job("token", TASK, "right")]) == []
    assert kinds(mill.checker.at_the_end([Job("token", TASK, "other")])) == [Kind.WRONG]
    mill.app.backend.store_result("never-ran", "right", "SUCCESS")
    assert kinds(mill.checker.at_the_end([Job("other", "never-ran", "right")])) == [Kind.WRONG]
    mill.publisher.publish_one("quick", 0.0)
    assert kinds(mill.checker.at_the_end([Job("token", TASK, "right")])) == [Kind.WRONG]
