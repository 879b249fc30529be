"""The order of a settlement, and what becomes of it when something fails."""

from __future__ import annotations

import threading

import pytest

from umbel import events
from umbel.errors import StorageError
from umbel.message import Envelope
from umbel.outcomes import Reason
from umbel.transports.base import Burial, DeadLetterFilter
from umbel.transports.channel.settlement import Settlement


@pytest.fixture
def consumer(store):
    return store.register("test", lease=15.0)


@pytest.fixture
def claims(store, consumer):
    store.publish("q", [Envelope(task_id=str(number), task="t", head=b"{}", body=b"") for number in range(5)])
    return list(store.claim("q", consumer, 5).claims)


@pytest.fixture
def settlement(store):
    return Settlement(store)


def test_everything_that_was_ordered_is_carried_out_once(store, settlement, claims, heard):
    settlement.ack(claims[0].receipt)
    settlement.release(claims[1].receipt)
    settlement.park(claims[2].receipt)
    settlement.bury(Burial(claims[3].receipt, Reason.FAILED, {"error_code": "BOOM"}), claims[3])
    settlement.crash(claims[4].receipt, 3)
    assert settlement.pending == 5
    assert settlement.settle()

    stats = store.queues()[0]
    assert (stats.ready, stats.claimed, stats.parked, stats.dead) == (2, 0, 1, 1)
    assert settlement.pending == 0
    assert heard == [events.DeadLettered("q", "t", "3", "failed", "BOOM")]


def test_the_barrier_runs_first_and_covers_only_what_had_ended_before_it(store, settlement, claims):
    def barrier():
        assert store.queues()[0].claimed == 5, "nothing is settled before results are stored"
        settlement.ack(claims[1].receipt)

    settlement.ack(claims[0].receipt)
    settlement.barrier = barrier
    assert settlement.settle()
    assert store.queues()[0].claimed == 4
    assert settlement.pending == 1, "what ended during the barrier waits for the next one"


def test_a_failed_barrier_withholds_everything_and_says_so(store, settlement, claims, heard):
    failures = [StorageError("results: the disk is full")]

    def barrier():
        if failures:
            raise failures.pop()

    settlement.barrier = barrier
    settlement.ack(claims[0].receipt)
    settlement.bury(Burial(claims[1].receipt, Reason.FAILED), claims[1])
    assert not settlement.settle()
    assert heard == [events.SettlementFailed(pending=2, problem="results: the disk is full")]
    assert settlement.stuck
    assert store.queues()[0].claimed == 5

    assert settlement.settle()
    assert not settlement.stuck
    assert (store.queues()[0].claimed, store.count_dead(DeadLetterFilter())) == (3, 1)


def test_what_was_settled_before_a_failure_is_not_settled_again(store, settlement, claims, heard, monkeypatch):
    def fail(_receipts):
        raise StorageError("unavailable")

    settlement.bury(Burial(claims[0].receipt, Reason.FAILED), claims[0])
    settlement.ack(claims[1].receipt)
    with monkeypatch.context() as patch:
        patch.setattr(store, "ack", fail)
        assert not settlement.settle()
    assert settlement.settle()
    assert not [event for event in heard if isinstance(event, events.ClaimFenced)]
    assert (store.queues()[0].claimed, store.queues()[0].dead) == (3, 1)


def test_a_receipt_of_a_consumer_that_was_declared_dead_settles_nothing(store, settlement, claims, consumer, heard):
    store.reap(consumer, started=())
    settlement.ack(claims[0].receipt)
    settlement.bury(Burial(claims[1].receipt, Reason.FAILED), claims[1])
    settlement.release(claims[2].receipt)
    assert settlement.settle()

    fenced = [event for event in heard if isinstance(event, events.ClaimFenced)]
    assert {event.operation for event in fenced} == {"ack", "dead_letter", "release"}
    assert [receipt for event in fenced if event.operation == "ack" for receipt in event.receipts] == [
        claims[0].receipt
    ]
    assert not [event for event in heard if isinstance(event, events.DeadLettered)]
    assert store.queues()[0].ready == 5


def test_threads_may_order_while_another_settles(store, consumer, settlement):
    store.publish("q", [Envelope(task_id=str(number), task="t", head=b"{}", body=b"") for number in range(400)])
    claims = list(store.claim("q", consumer, 400).claims)

    def order(part):
        for claim in part:
            settlement.ack(claim.receipt)

    threads = [threading.Thread(target=order, args=(claims[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        settlement.settle()
    settlement.settle()
    assert store.queues()[0].claimed == 0


def test_a_settlement_inside_the_barrier_is_no_deadlock(settlement, claims):
    settlement.barrier = settlement.settle
    settlement.ack(claims[0].receipt)
    assert settlement.settle()


def test_a_store_that_keeps_failing_is_a_problem_of_the_connection(settlement, claims, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("umbel.transports.channel.settlement.time.monotonic", lambda: clock[0])
    problem = StorageError("no room")

    def barrier():
        raise problem

    settlement.barrier = barrier
    settlement.ack(claims[0].receipt)
    assert not settlement.settle()
    assert settlement.lasting_problem is None
    clock[0] += 11
    assert not settlement.settle()
    assert settlement.lasting_problem is problem
