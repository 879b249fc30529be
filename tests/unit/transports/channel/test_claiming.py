"""Queues are asked in a fair round, and only when they may have something."""

from __future__ import annotations

import time

import pytest

from umbel import events
from umbel.errors import StorageCorruptError, StorageLockedError
from umbel.message import Envelope
from umbel.transports.channel.claiming import Claimer


@pytest.fixture
def consumer(store):
    return store.register("test", lease=15.0)


@pytest.fixture
def asked(store, monkeypatch):
    """The queues that were asked, in order."""
    calls = []
    claim = store.claim

    def recording(queue, *arguments, **options):
        calls.append(queue)
        return claim(queue, *arguments, **options)

    monkeypatch.setattr(store, "claim", recording)
    return calls


def publish(store, queue, count, **fields):
    store.publish(
        queue,
        [Envelope(task_id=f"{queue}-{number}", task="t", head=b"{}", body=b"", **fields) for number in range(count)],
    )


def claimer_of(store, *queues, poll_interval=60.0):
    claimer = Claimer(store, poll_interval=poll_interval)
    for queue in queues:
        claimer.add(queue)
    return claimer


def test_an_empty_queue_is_not_asked_again_before_it_is_stirred(store, consumer, asked):
    claimer = claimer_of(store, "a", "b")
    assert claimer.claim(consumer, 10) == []
    assert claimer.claim(consumer, 10) == []
    assert asked == ["a", "b"]
    claimer.stir()
    claimer.claim(consumer, 10)
    assert asked == ["a", "b", "a", "b"]


def test_the_poll_interval_is_the_safety_net(store, consumer, asked):
    claimer = claimer_of(store, "a", poll_interval=0.01)
    claimer.claim(consumer, 10)
    publish(store, "a", 1)
    time.sleep(claimer.idle_for() + 0.001)
    assert len(claimer.claim(consumer, 10)) == 1


def test_a_queue_that_gave_all_it_was_asked_for_lets_the_others_go_first(store, consumer):
    publish(store, "a", 10)
    publish(store, "b", 10)
    claimer = claimer_of(store, "a", "b")
    rounds = [[claim.queue for claim in claimer.claim(consumer, 2)] for _ in range(4)]
    assert rounds == [["a", "a"], ["b", "b"], ["a", "a"], ["b", "b"]]


def test_a_delayed_message_is_claimed_when_it_is_due(store, consumer, asked):
    due = time.time() + 0.2
    publish(store, "a", 1, visible_at=due)
    claimer = claimer_of(store, "a")
    assert claimer.claim(consumer, 1) == []
    assert 0 < claimer.idle_for() <= 0.2
    assert claimer.claim(consumer, 1) == []
    assert asked == ["a"], "it is not asked before"
    time.sleep(max(0, due - time.time()) + 0.01)
    assert len(claimer.claim(consumer, 1)) == 1


def test_a_paused_queue_with_due_messages_does_not_make_it_spin(store, consumer):
    publish(store, "a", 1, visible_at=time.time() + 0.01)
    store.pause("a")
    claimer = claimer_of(store, "a")
    time.sleep(0.02)
    assert claimer.claim(consumer, 1) == []
    assert claimer.idle_for() > 1


def test_a_store_that_is_busy_is_asked_again_later_and_then_given_up(store, consumer, monkeypatch, heard):
    def fail(*_arguments, **_options):
        raise StorageLockedError("busy")

    monkeypatch.setattr(store, "claim", fail)
    claimer = claimer_of(store, "a")
    for _ in range(3):
        claimer.stir()
        assert claimer.claim(consumer, 1) == []
    assert heard == [events.ClaimFailed(queue="a", problem="busy")] * 3
    claimer.stir()
    with pytest.raises(StorageLockedError):
        claimer.claim(consumer, 1)


def test_a_damaged_store_is_given_up_at_once(store, consumer, monkeypatch):
    def fail(*_arguments, **_options):
        raise StorageCorruptError("damaged")

    monkeypatch.setattr(store, "claim", fail)
    with pytest.raises(StorageCorruptError):
        claimer_of(store, "a").claim(consumer, 1)
