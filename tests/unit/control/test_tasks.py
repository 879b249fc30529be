"""One task in the broker, by its id."""

import pytest

from umbel.clock import Timestamp, to_datetime
from umbel.control.tasks import cancel_task, find_task
from umbel.errors import NotFoundError, NotWaitingError


def test_a_waiting_task_is_found_with_its_queue_and_due_time(store, envelope, clock):
    due = Timestamp(clock.now() + 90)
    store.publish("bulk", [envelope("shop.ship", task_id="t1", priority=7, visible_at=due)])
    task = find_task(store, "t1")
    assert (task.task, task.queue, task.state, task.priority, task.worker) == ("shop.ship", "bulk", "delayed", 7, None)
    assert task.due_at == to_datetime(due)


def test_a_claimed_task_is_found_with_the_name_of_its_worker(store, envelope):
    store.publish("bulk", [envelope(task_id="t1")])
    store.claim("bulk", store.register("celery-1@here", lease=15), 1)
    task = find_task(store, "t1")
    assert (task.state, task.worker) == ("claimed", "celery-1@here")


def test_a_waiting_task_can_be_cancelled_and_is_gone(store, envelope):
    store.publish("bulk", [envelope(task_id="t1")])
    assert cancel_task(store, "t1").state == "ready"
    assert store.find("t1") is None
    with pytest.raises(NotFoundError, match="'t1' is not in the broker"):
        cancel_task(store, "t1")


def test_a_claimed_task_cannot_be_cancelled_and_the_remedy_is_named(store, envelope):
    store.publish("bulk", [envelope(task_id="t1")])
    store.claim("bulk", store.register("w1", lease=15), 1)
    with pytest.raises(NotWaitingError) as caught:
        cancel_task(store, "t1")
    assert caught.value.details == {"task_id": "t1", "state": "claimed"}
    assert "control revoke t1" in caught.value.hint
    assert find_task(store, "t1").state == "claimed"


def test_a_dead_task_cannot_be_cancelled_but_discarded(store, bury):
    bury(task_id="t1")
    with pytest.raises(NotWaitingError) as caught:
        cancel_task(store, "t1")
    assert caught.value.hint == "umbel deadletters discard --task-id t1"
