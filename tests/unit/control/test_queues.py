"""Queues as an operator sees them."""

from datetime import timedelta

import pytest

from umbel.clock import Timestamp, to_datetime
from umbel.control.queues import list_queues, pause_queue, purge_queue, resume_queue, show_queue
from umbel.errors import QueueNotFoundError


def test_every_state_is_counted_and_the_oldest_ready_message_has_its_time(store, envelope, bury, clock):
    came = clock.now()
    store.publish("bulk", [envelope() for _ in range(4)])
    clock.advance(60)
    store.publish("bulk", [envelope(visible_at=Timestamp(clock.now() + 100))])
    consumer = store.register("w1", lease=15)
    claims = store.claim("bulk", consumer, 2).claims
    store.park([claims[0].receipt])
    bury(queue="bulk")
    queue = show_queue(store, "bulk")
    assert (queue.ready, queue.delayed, queue.claimed, queue.parked, queue.dead) == (2, 1, 1, 1, 1)
    assert queue.oldest_ready is not None
    assert abs(queue.oldest_ready - to_datetime(came)) < timedelta(seconds=1)
    assert queue.paused is False


def test_queues_are_listed_by_name(store, envelope):
    for name in ("zebra", "ant"):
        store.publish(name, [envelope()])
    assert [queue.name for queue in list_queues(store)] == ["ant", "zebra"]


def test_a_paused_queue_gives_nothing_until_it_is_resumed(store, envelope):
    store.publish("bulk", [envelope()])
    consumer = store.register("w1", lease=15)
    assert pause_queue(store, "bulk").paused is True
    assert not store.claim("bulk", consumer, 1).claims
    assert resume_queue(store, "bulk").paused is False
    assert len(store.claim("bulk", consumer, 1).claims) == 1


def test_a_purge_removes_what_waits_and_nothing_else(store, envelope, bury, clock):
    store.publish("bulk", [envelope(), envelope(), envelope(visible_at=Timestamp(clock.now() + 100))])
    consumer = store.register("w1", lease=15)
    claim = store.claim("bulk", consumer, 1).claims[0]
    bury(queue="bulk")
    assert purge_queue(store, "bulk").removed == 2
    queue = show_queue(store, "bulk")
    assert (queue.ready, queue.delayed, queue.claimed, queue.dead) == (0, 0, 1, 1)
    assert not store.ack([claim.receipt])


@pytest.mark.parametrize("operation", [show_queue, pause_queue, resume_queue, purge_queue])
def test_an_unknown_queue_is_an_error_that_names_the_nearest_and_creates_nothing(store, envelope, operation):
    store.publish("critical", [envelope()])
    with pytest.raises(QueueNotFoundError) as caught:
        operation(store, "critcal")
    assert caught.value.details == {"queue": "critcal"}
    assert caught.value.hint == "did you mean 'critical'?"
    assert not store.queue_exists("critcal")
