"""The same campaign against workers that are broken on purpose: each fault is found, and as what it is.

The healthy worker survives the very same scenario.
"""

from __future__ import annotations

import random

import pytest
from tests.acceptance.kill_campaign.checker import Kind
from tests.acceptance.kill_campaign.killing import Campaign
from tests.acceptance.kill_campaign.processes import wait_until

MOST_KILLS = 60
"""An early ack is found after a few."""
SOME_KILLS = 20
"""A healthy worker must survive so many."""

WHOLE = {"everything": 1}
SHARDS = {"shard": 1}


def kinds(findings):
    return {finding.kind for finding in findings}


def short_campaign(make_mill, faults, ways, kills):
    mill = make_mill(seed=random.randrange(2**32), faults=faults)
    mill.publisher.leave_out_long_tasks()
    mill.start()
    return mill, Campaign(mill, ways).run(kills)


def test_an_ack_before_its_result_is_found(make_mill):
    _, found = short_campaign(make_mill, "acks_first", WHOLE, MOST_KILLS)
    assert kinds(found) == {Kind.UNSTORED}


def test_a_repeat_that_is_not_dropped_is_found(make_mill):
    """The second copy stands at the end of the queue: the rest must run before it is seen."""
    mill, found = short_campaign(make_mill, "slow_settlement,no_deduplication", SHARDS, SOME_KILLS)
    found = found or mill.finish()
    assert Kind.REPEATED in kinds(found)
    assert kinds(found) <= {Kind.REPEATED, Kind.UNEXPLAINED}


@pytest.mark.parametrize("ways", [WHOLE, SHARDS], ids=["everything", "shard"])
def test_a_healthy_worker_survives_kills_between_storing_results_and_acknowledging(make_mill, ways):
    mill, found = short_campaign(make_mill, "slow_settlement", ways, SOME_KILLS)
    assert found == []
    assert mill.finish() == []


def zombie_settles_late(mill):
    """A shard is declared dead while it runs a body; another claims the message; the first one settles;
    then everything dies. Return what the checker finds.
    """
    mill.start()
    task = mill.publisher.publish_one("yielding")
    ledger, worker = mill.ledger, mill.worker

    def runs(number):
        return len(ledger.read().starts_of(task)) >= number

    wait_until(lambda: runs(1), 20, lambda: f"it runs:\n{worker.log_tail()}")
    zombie = next(shard for shard in worker.shards() if ledger.running(shard.pid))
    mill.checker.died(zombie.pid)
    mill.store.reap(zombie.consumer, started=())
    wait_until(lambda: runs(2), 20, lambda: f"another runs it too:\n{worker.log_tail()}")
    (mill.folder / f"gate-{zombie.pid}").touch()

    def has_settled():
        return "claim.fenced" in worker.log.read_text() or mill.store.find(task) is None

    wait_until(has_settled, 20, lambda: f"the zombie settles:\n{worker.log_tail()}")
    second = next(shard for shard in worker.shards() if ledger.read().running(shard.pid))
    found = mill.checker.while_running(second)
    for pid in worker.family():
        mill.checker.died(pid)
    worker.kill_all()
    return found + mill.checker.while_nothing_runs(mill.publisher.jobs)


LONG_LEASE = {"UMBEL__BROKER__LEASE": "120s"}
"""So that the supervisor does not replace the zombie before it has settled."""


def test_a_late_settlement_that_is_not_fenced_is_found(make_mill):
    found = zombie_settles_late(make_mill(seed=1, faults="no_fencing", environment=LONG_LEASE))
    assert kinds(found) == {Kind.STOLEN, Kind.LOST}


def test_a_late_settlement_settles_nothing(make_mill):
    mill = make_mill(seed=1, environment=LONG_LEASE)
    assert zombie_settles_late(mill) == []
    (mill.folder / "gate").touch()
    mill.start()
    assert mill.finish() == []
